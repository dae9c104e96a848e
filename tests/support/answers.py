"""Checks an answer against the document of its service: its status, and a JSON body against its schema, field by field.

The documents allow further fields, since they may come; `closed`, a field that a document does not name is a fault.
"""

from __future__ import annotations

import copy
import re
from functools import cached_property
from typing import Any

import httpx
import jsonschema_rs
from fastapi import FastAPI

Json = dict[str, Any]


class Checked:
    """The answers of one service."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._validators: dict[tuple[str, str, str, bool], Any] = {}

    @property
    def _document(self) -> Json:
        return self._app.openapi()

    @cached_property
    def _closed(self) -> Json:
        document = copy.deepcopy(self._document)
        for schema in document["components"]["schemas"].values():
            if schema.get("properties"):
                schema.setdefault("additionalProperties", False)
        return document

    @cached_property
    def _paths(self) -> list[tuple[re.Pattern[str], str]]:
        """Paths without a parameter first, as the most exact."""
        known = sorted(self._document["paths"], key=lambda path: path.count("{"))
        return [(re.compile("[^/]+".join(map(re.escape, re.split(r"\{\w+\}", path)))), path) for path in known]

    def __call__(self, answer: httpx.Response, *, closed: bool = False) -> None:
        """Raise AssertionError for a successful JSON answer that is not as documented."""
        if not answer.is_success or not answer.headers.get("content-type", "").startswith("application/json"):
            return
        method, asked = answer.request.method, answer.request.url.path
        path = next((path for form, path in self._paths if form.fullmatch(asked)), None)
        if path is None or method.lower() not in self._document["paths"][path]:
            return  # left out of the document
        found = list(self._validator(method, path, str(answer.status_code), closed).iter_errors(answer.json()))
        said = "; ".join(f"{'/'.join(map(str, each.instance_path))}: {each.message}" for each in found[:5])
        assert not found, f"{method} {path} {answer.status_code} is not as its document says: {said}"

    def _validator(self, method: str, path: str, status: str, closed: bool) -> Any:
        key = (method, path, status, closed)
        if key not in self._validators:
            answers = self._document["paths"][path][method.lower()]["responses"]
            assert status in answers, f"{method} {path}: {status} is not in its document"
            schema = answers[status]["content"]["application/json"]["schema"]
            whole = {**schema, "components": (self._closed if closed else self._document)["components"]}
            self._validators[key] = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
        return self._validators[key]
