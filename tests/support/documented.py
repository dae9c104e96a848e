"""Reads a service's OpenAPI document: its operations, and hypothesis strategies for its schemas."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

Json = dict[str, Any]


@dataclass(frozen=True)
class Operation:
    """An operation of a document. said: its OpenAPI operation object."""

    service: str
    method: str
    path: str
    said: Json
    document: Json

    def __str__(self) -> str:
        return f"{self.service} {self.method} {self.path}"

    @property
    def form(self) -> tuple[str, Json] | None:
        """Media type and schema of the request body; None if there is none."""
        content = self.said.get("requestBody", {}).get("content", {})
        return next(((media, each["schema"]) for media, each in content.items()), None)

    def parameters(self, place: str) -> dict[str, Json]:
        """Parameter → schema, for the path, the query or the headers."""
        return {each["name"]: each["schema"] for each in self.said.get("parameters", []) if each["in"] == place}

    def required(self, place: str) -> list[str]:
        """Names of the required parameters."""
        return [
            each["name"] for each in self.said.get("parameters", []) if each["in"] == place and each.get("required")
        ]


def operations(service: str, document: Json) -> Iterator[Operation]:
    """All operations of a document."""
    for path, methods in document["paths"].items():
        for method, said in methods.items():
            yield Operation(service, method.upper(), path, said, document)


def values(schema: Json, document: Json) -> st.SearchStrategy[Any]:
    """A strategy for JSON values that a schema allows; covers the part of JSON Schema that pydantic writes."""
    if "$ref" in schema:
        return st.deferred(lambda: values(document["components"]["schemas"][schema["$ref"].split("/")[-1]], document))
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return st.one_of(*(values(each, document) for each in choices))
    if "enum" in schema or "const" in schema:
        return st.sampled_from(schema.get("enum") or [schema["const"]])
    made = {
        "object": _object,
        "array": _array,
        "string": _string,
        "integer": _integer,
        "number": lambda asked, _: st.floats(
            asked.get("minimum"), asked.get("maximum"), allow_nan=False, allow_infinity=False
        ),
        "boolean": lambda _, __: st.booleans(),
        "null": lambda _, __: st.none(),
    }.get(schema.get("type", ""))
    return made(schema, document) if made else st.just("anything")


def _object(schema: Json, document: Json) -> st.SearchStrategy[Any]:
    fields = {name: values(each, document) for name, each in schema.get("properties", {}).items()}
    required = {name: each for name, each in fields.items() if name in schema.get("required", [])}
    return st.fixed_dictionaries(required, optional={k: v for k, v in fields.items() if k not in required})


def _array(schema: Json, document: Json) -> st.SearchStrategy[Any]:
    least = schema.get("minItems", 0)
    each = values(schema.get("items", {"type": "string"}), document)
    return st.lists(each, min_size=least, max_size=min(schema.get("maxItems", 3), least + 3))


def _integer(schema: Json, _document: Json) -> st.SearchStrategy[int]:
    return st.integers(schema.get("minimum"), schema.get("maximum"))


def _string(schema: Json, _document: Json) -> st.SearchStrategy[str]:
    form, least, most = schema.get("format"), schema.get("minLength", 0), schema.get("maxLength", 40)
    if form == "uuid":
        return st.uuids().map(str)
    if form == "date":
        return st.dates(datetime.date(2020, 1, 1), datetime.date(2030, 1, 1)).map(str)
    if form == "date-time":
        return st.datetimes(timezones=st.just(datetime.UTC)).map(datetime.datetime.isoformat)
    if "pattern" in schema:
        found = st.from_regex(schema["pattern"].replace("$", r"\Z"), alphabet=st.characters(codec="ascii"))
        return found.filter(lambda text: least <= len(text) <= most)
    return st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), min_size=least, max_size=min(most, 40))
