"""Every error response is RFC 9457 problem+json: a stable code, one sentence on the cause, one on the cure."""

from __future__ import annotations

import logging
import traceback
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from jalons.database import Busy, transient
from jalons.messaging.outcomes import where
from jalons.privacy.keys import KeysUnavailable
from jalons.privacy.national_number import free_strings, holds_control_character, holds_national_number, is_uuid
from jalons.privacy.opaque_codes import NotOpaque, new_dossier_code
from jalons.web import asked, texts, validation

log = logging.getLogger(__name__)

_MAX_FIELDS = 20


class Problem(Exception):
    """An error response as an exception. extra: further members of the body. headers: such as Retry-After."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        cure: str,
        *,
        headers: dict[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail
        self.cure = cure
        self.headers = headers
        self.extra = extra

    def body(self) -> dict[str, Any]:
        """The members of the JSON body, its sentences in the language that the request asks for."""
        named = ", ".join(str(each["at"]) for each in self.extra.get("fields", ())[:5])
        detail, cure = texts.problem(self.code, self.detail, self.cure, asked.language(), **self.extra)
        return {
            "type": f"urn:jalons:problem:{self.code}",
            "title": self.code.replace("_", " ").capitalize(),
            "status": self.status,
            "detail": f"{detail} ({named})" if named and detail != self.detail else detail,
            "code": self.code,
            "cure": cure,
            **self.extra,
        }

    def response(self) -> JSONResponse:
        """The HTTP response."""
        return JSONResponse(self.body(), self.status, self.headers, media_type="application/problem+json")


class ProblemBody(BaseModel):
    """The body of every error response, for the OpenAPI document."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    cure: str


NATIONAL_NUMBER = Problem(
    422,
    "national_number",
    "A text field contains what looks like a national register number.",
    "Remove it; the hub never stores one. Use your own dossier number as local_ref.",
)
NOT_JSON = Problem(422, "invalid_json", "The body is not JSON.", "Send one JSON object in UTF-8.")
NAME_TWICE = Problem(
    422,
    "name_twice",
    "An object in the body has the same name twice.",
    "Send each name once: parsers disagree about which of the two values counts.",
)
CONTROL_CHARACTER = Problem(
    422,
    "control_character",
    "A text field contains a control character.",
    "Remove characters that cannot be typed on a keyboard.",
)


def unknown_position(newest: int) -> Problem:
    """A position that the log does not have: another log's, or one from before a restore."""
    return Problem(
        422,
        "unknown_position",
        "The log does not have this position: it ends before it.",
        f"The newest position is {newest}. Ask for what comes after a position that this service gave; if it was "
        "restored from a backup, begin again at 0.",
        newest=newest,
    )


_CODE_CURE = (
    "Send a code of your own with a digit in it, such as H-2026-118. Without a local_ref, or with the code under "
    "`offered`, the person has a dossier code of the hub's, which only you can see and search for."
)


def not_opaque(at: str, error: NotOpaque) -> Problem:
    """The refusal of a header or a query parameter that should be an opaque code."""
    problem = texts.told(str(error), asked.language())
    return Problem(422, "not_a_code", f"{at}: {problem}.", _CODE_CURE, fields=[{"at": at, "problem": problem}])


def refuse_unsafe_text(value: object) -> None:
    """Raise Problem if a free string of a parsed body contains a national number or a control character."""
    for text in free_strings(value):
        if holds_national_number(text):
            raise NATIONAL_NUMBER
        if holds_control_character(text):
            raise CONTROL_CHARACTER


def install(app: FastAPI) -> None:
    """Register handlers that answer every error as a problem."""

    @app.exception_handler(Problem)
    async def _problem(_request: Request, problem: Problem) -> JSONResponse:
        return problem.response()

    @app.exception_handler(RequestValidationError)
    async def _invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        return _validation(error).response()

    @app.exception_handler(HTTPException)
    async def _http(_request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == HTTPStatus.BAD_REQUEST and isinstance(error.__cause__, ValueError | RecursionError):
            return NOT_JSON.response()  # invalid UTF-8, or numbers or nesting beyond the parser's limits
        title = HTTPStatus(error.status_code).phrase
        code = title.lower().replace(" ", "_")
        cure = "See /docs for the paths, methods and bodies of this service."
        return Problem(error.status_code, code, f"{title}.", cure, headers=dict(error.headers or {})).response()

    @app.exception_handler(Exception)
    async def _unexpected(_request: Request, error: Exception) -> JSONResponse:
        return _failure(error).response()


def _validation(error: RequestValidationError) -> Problem:
    """The problem for a malformed request. It names the fields, never their values; a national number comes first."""
    for text in free_strings(error.body):
        if not is_uuid(text) and holds_national_number(text):
            return NATIONAL_NUMBER
    found = error.errors()
    code = "unknown_field" if any(each["type"] == "extra_forbidden" for each in found) else "invalid"
    if any(each["type"] == "json_invalid" for each in found):
        return NOT_JSON
    fields = validation.sentences(found, asked.language())[:_MAX_FIELDS]
    named = ", ".join(field["at"] for field in fields[:5])
    detail = f"These fields of the request are not valid: {named}."
    cure = "Correct the fields named under `fields`; /docs has each call with an example."
    uncoded = [each for each in found if isinstance(each.get("ctx", {}).get("error"), NotOpaque)]
    if any(holds_control_character(str(each.get("input"))) for each in uncoded):
        return CONTROL_CHARACTER
    if uncoded:
        code, cure = "not_a_code", _CODE_CURE
    if any(each["loc"][-1] == "local_ref" for each in uncoded):
        return Problem(422, code, detail, cure, fields=fields, offered=new_dossier_code())
    return Problem(422, code, detail, cure, fields=fields)


def _failure(error: Exception) -> Problem:
    if isinstance(error, Busy | KeysUnavailable) or transient(error):
        return Problem(
            503,
            "unavailable",
            "The hub is temporarily unavailable.",
            "Send the same request again with the same Idempotency-Key.",
            headers={"Retry-After": "2"},
        )
    place = where(error)
    log.error("unexpected %s\n%s", place, "".join(traceback.format_tb(error.__traceback__)))
    return Problem(
        500,
        "unexpected",
        f"The hub failed unexpectedly ({place}).",
        "Send the same request again later with the same Idempotency-Key; tell the hub's operator if it fails again.",
    )
