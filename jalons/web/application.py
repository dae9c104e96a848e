"""Builds the FastAPI application of a service: body limits, request metrics, problems, health and `/docs`."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Annotated, Any
from urllib.parse import unquote_plus

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import ClientDisconnect

from jalons.privacy.national_number import holds_control_character, holds_national_number, is_uuid
from jalons.privacy.opaque_codes import NotOpaque, opaque
from jalons.process import metrics
from jalons.web import asked, documents, problems
from jalons.web.demands import Demand, demanding
from jalons.web.identity import Verifier
from jalons.web.parameters import refuse_unknown_parameters

MAX_BODY_BYTES = 256 * 1024
BODY_WAIT_SECONDS = 30
_CLIENT_CLOSED_REQUEST = 499
"""Status in metrics when the client disconnects before the body is complete; nginx uses the same code."""

BODY_TOO_SLOW = problems.Problem(
    408, "body_too_slow", "The body did not arrive.", "Send the request again.", headers={"Connection": "close"}
)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]
Check = Callable[[], dict[str, str]]
"""Returns name → sentence for everything that is wrong. Runs in a thread; may block for seconds."""


def application(
    service: str,
    promise: str,
    verifier: Verifier,
    missing: Check,
    public_url: str | None,
    large: Mapping[str, int] | None = None,
    degraded: Check = dict,
) -> FastAPI:
    """A service's application, without its own routes.

    promise: one-line description for the API documents. missing: why it cannot answer calls. degraded: what else does
    not work. large: path → body limit in bytes, where it is not MAX_BODY_BYTES.
    """
    app = documents.DocumentedApp(
        title=f"Jalons · {service}",
        description=promise,
        version="1",
        dependencies=[Depends(refuse_unknown_parameters)],
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # the redirect would name the scheme and host behind the proxy
        servers=[{"url": public_url}] if public_url else None,
        responses={"4XX": {"model": problems.ProblemBody, "description": "A refusal, with its cause and its cure"}},
    )
    app.state.service = service
    app.state.verifier = verifier
    problems.install(app)
    app.add_middleware(RequestGuard, service=service, large=large or {})

    @app.get("/docs", include_in_schema=False)
    def described() -> HTMLResponse:
        return HTMLResponse(documents.page(app.openapi()), headers={"Content-Security-Policy": documents.POLICY})

    @app.get("/health/live", tags=["operation"], summary="The process answers")
    async def live() -> dict[str, str]:
        return {"status": "alive"}

    @app.get(
        "/health/ready",
        tags=["operation"],
        summary="Whether the service can answer its own calls; what else does not work is named under `degraded`",
    )
    def is_ready() -> JSONResponse:
        waits_for, amiss = missing(), degraded()
        status = "waiting" if waits_for else "degraded" if amiss else "ready"
        return JSONResponse({"status": status, "waits_for": waits_for, "degraded": amiss}, 503 if waits_for else 200)

    @app.get("/metrics", tags=["operation"], summary="Prometheus metrics", response_class=Response)
    def measured() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return app


class _BodyTooSlow(Exception):
    """Nothing of a body came for BODY_WAIT_SECONDS."""


class RequestGuard:
    """ASGI middleware: refuses unsafe URLs, oversized bodies and ambiguous JSON, and measures every request.

    The body is read completely before the application runs; it is at most MAX_BODY_BYTES, except on `large` paths.
    """

    def __init__(self, app: Asgi, service: str, large: Mapping[str, int]) -> None:
        self._app = app
        self._service = service
        self._large = large

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500
        asked.begin(dict(scope["headers"]).get(b"accept-language", b"").decode("latin-1"))

        async def respond(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = _not_stored(message)
            await send(message)

        try:
            body = b""
            refusal = _unsafe_url(scope)
            if refusal is None and scope["method"] not in {"GET", "HEAD"}:
                limit = self._large.get(scope["path"], MAX_BODY_BYTES)
                read = await _body(scope, receive, limit)
                refusal, body = (_too_large(limit), b"") if read is None else (_ambiguous_json(scope, read), read)
            if refusal is not None:
                await refusal.response()(scope, receive, respond)
            else:
                await self._app(scope, _replay(body, receive), respond)
        except ClientDisconnect:
            status = _CLIENT_CLOSED_REQUEST
        except _BodyTooSlow:
            await BODY_TOO_SLOW.response()(scope, receive, respond)
        finally:
            route = getattr(scope.get("route"), "path", "unknown")
            seconds = time.perf_counter() - started
            metrics.HTTP_SECONDS.labels(self._service, scope["method"], route, str(status)).observe(seconds)


def _not_stored(start: Message) -> Message:
    """A response that does not say itself how long it may be kept is kept by no cache: it may tell of a person."""
    if any(name.lower() == b"cache-control" for name, _ in start["headers"]):
        return start
    headers = [*start["headers"], (b"cache-control", b"no-store")]
    return {**start, "headers": headers}


def _too_large(limit: int) -> problems.Problem:
    return problems.Problem(
        413, "too_large", f"The body is over {limit // 1024} kB.", "Send less at once; import tables with /imports."
    )


def kept_header(request: Request, name: str, max_length: int) -> str | None:
    """The value of a header that is stored; None if absent or empty.

    Raises Problem 422 if it is longer than `max_length` characters, or has a control character or a national number.
    """
    text = request.headers.get(name)
    if text is None or text == "":
        return None
    if len(text) > max_length:
        raise problems.Problem(422, "invalid", f"The header {name} is over {max_length} characters.", "Shorten it.")
    if holds_control_character(text):
        raise problems.CONTROL_CHARACTER
    if not is_uuid(text) and holds_national_number(text):
        raise problems.NATIONAL_NUMBER
    return text


async def actor(request: Request) -> str | None:
    """Dependency: the member of the partner's staff who acts, as an opaque code (header `Jalons-Actor`), for the audit
    log only."""
    return actor_of(request)


def actor_of(request: Request) -> str | None:
    """The value of the header Jalons-Actor; None if absent or empty. Raises Problem 422 if it is no opaque code."""
    text = request.headers.get("jalons-actor", "")
    try:
        return opaque(text) if text else None
    except NotOpaque as error:
        raise problems.not_opaque("Jalons-Actor", error) from None


Actor = Annotated[str | None, Depends(demanding(actor, Demand(actor=True)))]
"""Parameter type for routes that read."""


async def _body(scope: Scope, receive: Receive, limit: int) -> bytes | None:
    """The complete body; None if Content-Length or the actual size exceeds the limit.

    Raises ClientDisconnect if the client leaves first, _BodyTooSlow if it sends nothing for 30 s: an incomplete request
    is never handled.
    """
    declared = dict(scope["headers"]).get(b"content-length", b"0")
    if not declared.isdigit() or int(declared) > limit:
        return None
    chunks: list[bytes] = []
    size = 0
    while True:
        try:
            message = await asyncio.wait_for(receive(), BODY_WAIT_SECONDS)
        except TimeoutError:
            raise _BodyTooSlow from None
        if message["type"] != "http.request":
            raise ClientDisconnect
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limit:
            return None
        if not message.get("more_body"):
            return b"".join(chunks)


def _ambiguous_json(scope: Scope, body: bytes) -> problems.Problem | None:
    """The refusal of JSON that parsers read differently: duplicate names in an object, NaN, Infinity.

    Malformed JSON gives None: the application refuses it.
    """
    if not body or b"json" not in dict(scope["headers"]).get(b"content-type", b""):
        return None
    try:
        json.loads(body, object_pairs_hook=_refuse_duplicates, parse_constant=_refuse_constant)
    except problems.Problem as found:
        return found
    except (ValueError, RecursionError):
        return None
    return None


def _refuse_duplicates(pairs: list[tuple[str, object]]) -> None:
    if len({name for name, _ in pairs}) < len(pairs):
        raise problems.NAME_TWICE


def _refuse_constant(_constant: str) -> None:
    raise problems.NOT_JSON


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that returns the body once, then the connection's own messages (such as a disconnect)."""
    replayed = False

    async def replay() -> Message:
        nonlocal replayed
        if replayed:
            return await receive()
        replayed = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _unsafe_url(scope: Scope) -> problems.Problem | None:
    """The refusal of a URL with a national number or a control character: URLs end up in the logs of every proxy."""
    query = scope["query_string"].decode("latin-1").replace("=", "&").split("&")
    for part in (*scope["path"].split("/"), *map(unquote_plus, query)):
        if holds_control_character(part):
            return problems.CONTROL_CHARACTER
        if len(part) >= 11 and not is_uuid(part) and holds_national_number(part):
            return problems.NATIONAL_NUMBER
    return None
