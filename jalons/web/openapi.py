"""Every operation's document names each status that it may answer: said once, for all routes."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

PUBLIC = frozenset({"/health/live", "/health/ready", "/metrics", "/oauth/token", "/.well-known/jwks.json"})
"""What is answered without a token."""
BY_LINK = frozenset({"/answer", "/answer/{token}", "/s", "/s/{code}"})
"""Pages, for whoever holds the address."""

_ANY = {
    422: "What was sent is not of the form this call takes, or not what the rules let it say",
    503: "The hub cannot take this on just now; the same call again does it once",
}
_WITH_TOKEN = {
    401: "No token, or none that the hub accepts",
    403: "The token does not allow this call, or the rules do not allow it to this partner",
    404: "It is not there, or not yours to see: the two are not told apart",
}
_WITH_BODY = {
    400: "What such a call must carry is missing (`Idempotency-Key`), or the body cannot be read",
    413: "The body is too large",
}
_WRITES = {
    409: "Not in the state that this asks for, or there already, or the same `Idempotency-Key` is at work",
    412: "It changed since you read it (`If-Match`)",
}
_PAGE = {
    404: "The address opens nothing: a page that says so, the same whatever is wrong with it",
    410: "What it was for is over: a page that says so",
    429: "Too many tries: a page that says to wait",
}
_FORM = {409: _WRITES[409], 412: "It changed since the page was made", 413: "The form is too large"}
_TOKEN = {401: "The client is unknown, revoked, or its secret is wrong"}
_HTML = {"text/html": {"schema": {"type": "string"}}}
_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemBody"}}}


class Application(FastAPI):
    """FastAPI whose document has refusals by status, with their form."""

    def openapi(self) -> dict[str, Any]:
        """The document, made once."""
        if self.openapi_schema is None:
            document = super().openapi()
            for path, methods in document["paths"].items():
                for method, operation in methods.items():
                    _complete(path, method, operation)
        return super().openapi()


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    answers = operation["responses"]
    answers.pop("4XX", None)  # it stands for the form of a refusal until here
    if method == "put" and "201" in answers:
        answers["200"] = answers["201"] | {"description": "It was there, and is as you sent it now"}
    writes = method not in {"get", "head"}
    refusals = _ANY | (_WITH_BODY if writes else {})
    if path in BY_LINK:
        refusals = _ANY | _PAGE | (_FORM if writes else {})
    elif path in PUBLIC:
        refusals |= _TOKEN if writes else {}
    else:
        refusals |= _WITH_TOKEN | (_WRITES if writes else {})
    for status, meaning in sorted(refusals.items()):
        content = _HTML | _PROBLEM if path in BY_LINK else _PROBLEM
        answers.setdefault(str(status), {"description": meaning, "content": content})
