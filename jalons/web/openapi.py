"""Completes the OpenAPI document: every operation lists each error status it may answer."""

from __future__ import annotations

from typing import Any

PUBLIC = frozenset(
    {
        "/health/live",
        "/health/ready",
        "/metrics",
        "/oauth/token",
        "/.well-known/jwks.json",
        "/.well-known/oauth-authorization-server",
    }
)
"""Paths that need no token."""
BY_LINK = frozenset({"/answer", "/answer/{token}", "/s", "/s/word", "/s/{code}"})
"""Paths of the pages that a link or a code opens."""

_ANY = {
    422: "The request is malformed, or the rules do not allow its values",
    503: "The hub is temporarily unavailable; repeat the same call, it is done once",
}
_WITH_TOKEN = {
    401: "The token is missing or invalid",
    403: "The token does not allow this call, or the rules do not allow it to this partner",
    404: "It does not exist, or you may not see it; the answer is the same",
}
_WITH_BODY = {
    400: "A required header (`Idempotency-Key`) is missing, or the body cannot be read",
    413: "The body is too large",
}
_WRITES = {
    409: "The current state does not allow it, it already exists, or a call with this `Idempotency-Key` is in progress",
    412: "It has changed since you read it (`If-Match`)",
}
_PAGE = {
    404: "The link is not valid; the page is the same whatever the reason",
    410: "The link's purpose is over",
    429: "Too many attempts; the page says how long to wait",
}
_FORM = {409: _WRITES[409], 412: "It has changed since the page was opened", 413: "The form is too large"}
_TOKEN = {401: "The client is unknown or revoked, or its secret is wrong"}
_HTML = {"text/html": {"schema": {"type": "string"}}}
_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemBody"}}}


def add_errors(document: dict[str, Any]) -> None:
    """Add the error responses to every operation of an OpenAPI document."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            _add_errors(path, method, operation)


def _add_errors(path: str, method: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    responses.pop("4XX", None)  # declared only so that FastAPI includes the ProblemBody schema
    if method == "put" and "201" in responses:
        responses["200"] = responses["201"] | {"description": "It existed and was replaced"}
    writes = method not in {"get", "head"}
    if path in BY_LINK:
        errors = _ANY | _PAGE | (_FORM if writes else {})
    elif path in PUBLIC:
        errors = _ANY | (_WITH_BODY | _TOKEN if writes else {})
    else:
        errors = _ANY | _WITH_TOKEN | (_WITH_BODY | _WRITES if writes else {})
    content = _HTML | _PROBLEM if path in BY_LINK else _PROBLEM
    for status, meaning in sorted(errors.items()):
        responses.setdefault(str(status), {"description": meaning, "content": content})
