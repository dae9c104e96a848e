"""The shell of every service's HTTP: sizes, timings, problems, health and metrics, the same in all three."""

from __future__ import annotations

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
from jalons.process import metrics
from jalons.web import documents, problems
from jalons.web.demands import Demand, demanding
from jalons.web.identity import Verifier

MAX_BODY_BYTES = 256 * 1024
ACTOR_MOST = 32
_CALLER_LEFT = 499
"""The usual name in metrics for a call whose caller left before it was all said."""

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]
Ready = Callable[[], dict[str, str]]
"""What is not ready, by name, with why; empty when all is. Called in a thread; may block a few seconds."""


def application(
    service: str,
    promise: str,
    verifier: Verifier,
    ready: Ready,
    public_url: str | None,
    large: Mapping[str, int] | None = None,
) -> FastAPI:
    """A service's application without its routes. promise: one line for its documents; large: paths whose body may be
    larger than others', with how many bytes."""
    app = documents.Described(
        title=f"Jalons · {service}",
        description=promise,
        version="1",
        docs_url=None,
        redoc_url=None,
        servers=[{"url": public_url}] if public_url else None,
        responses={"4XX": {"model": problems.ProblemBody, "description": "A refusal, with its cause and its cure"}},
    )
    app.state.service = service
    app.state.verifier = verifier
    problems.install(app)
    app.add_middleware(Shell, service=service, large=large or {})

    @app.get("/docs", include_in_schema=False)
    def described() -> HTMLResponse:
        return HTMLResponse(documents.page(app.openapi()), headers={"Content-Security-Policy": documents.POLICY})

    @app.get("/health/live", tags=["operation"], summary="The process answers")
    async def live() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/health/ready", tags=["operation"], summary="Database, broker and consumer are there")
    def is_ready() -> JSONResponse:
        missing = ready()
        return JSONResponse(
            {"status": "waiting" if missing else "ready", "waits_for": missing}, 503 if missing else 200
        )

    @app.get("/metrics", tags=["operation"], summary="Prometheus metrics", response_class=Response)
    def measured() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return app


class Shell:
    """Around every request: refuse what is too large or carries a national number in its address, and time the rest.

    The body is read whole before the application runs: it is at most 256 kB, but on the paths that are `large`.
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
        began = time.perf_counter()
        status = 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            body = b""
            refusal = _unsafe_address(scope)
            if refusal is None and scope["method"] not in {"GET", "HEAD"}:
                most = self._large.get(scope["path"], MAX_BODY_BYTES)
                read = await _body(scope, receive, most)
                refusal, body = (_too_large(most), b"") if read is None else (_unclear(scope, read), read)
            if refusal is not None:
                await refusal.response()(scope, receive, answer)
            else:
                await self._app(scope, _replay(body, receive), answer)
        except ClientDisconnect:
            status = _CALLER_LEFT
        finally:
            route = getattr(scope.get("route"), "path", "unknown")
            took = time.perf_counter() - began
            metrics.HTTP_SECONDS.labels(self._service, scope["method"], route, str(status)).observe(took)


def _too_large(most: int) -> problems.Problem:
    return problems.Problem(
        413, "too_large", f"The body is over {most // 1024} kB.", "Send less at once; lists go by /imports."
    )


def kept_header(request: Request, name: str, most: int) -> str | None:
    """A header's text, held to what any text of a caller is held to; None if it is empty. Raises Problem 422."""
    text = request.headers.get(name)
    if text is None or text == "":
        return None
    if len(text) > most:
        raise problems.Problem(422, "invalid", f"The header {name} is over {most} characters.", "Shorten it.")
    if holds_control_character(text):
        raise problems.CONTROL_CHARACTER
    if not is_uuid(text) and holds_national_number(text):
        raise problems.NATIONAL_NUMBER
    return text


async def actor(request: Request) -> str | None:
    """A dependency: who sits at the partner's, in its own opaque code (header `Jalons-Actor`); for the audit alone."""
    return kept_header(request, "jalons-actor", ACTOR_MOST)


Actor = Annotated[str | None, Depends(demanding(actor, Demand(actor=True)))]
"""Who sits there, of a route that reads."""


async def _body(scope: Scope, receive: Receive, most: int) -> bytes | None:
    """The whole body, or None once it is over the limit, declared or real.

    Raises ClientDisconnect: half a call is none.
    """
    declared = dict(scope["headers"]).get(b"content-length", b"0")
    if not declared.isdigit() or int(declared) > most:
        return None
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientDisconnect
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > most:
            return None
        if not message.get("more_body"):
            return b"".join(chunks)


def _unclear(scope: Scope, body: bytes) -> problems.Problem | None:
    """The refusal of JSON that two readers may read differently: a name twice in one object, NaN, Infinity. What is no
    JSON at all is left to the application to refuse."""
    if not body or b"json" not in dict(scope["headers"]).get(b"content-type", b""):
        return None
    try:
        json.loads(body, object_pairs_hook=_distinct, parse_constant=_no_number)
    except problems.Problem as found:
        return found
    except (ValueError, RecursionError):
        return None
    return None


def _distinct(pairs: list[tuple[str, object]]) -> None:
    if len({name for name, _ in pairs}) < len(pairs):
        raise problems.NAME_TWICE


def _no_number(_constant: str) -> None:
    raise problems.NOT_JSON


def _replay(body: bytes, receive: Receive) -> Receive:
    """Give the body once, then what the connection says (that the caller left)."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _unsafe_address(scope: Scope) -> problems.Problem | None:
    """The refusal of a path or query that no field would be let hold; addresses end up in logs everywhere."""
    query = scope["query_string"].decode("latin-1").replace("=", "&").split("&")
    for part in (*scope["path"].split("/"), *map(unquote_plus, query)):
        if holds_control_character(part):
            return problems.CONTROL_CHARACTER
        if len(part) >= 11 and not is_uuid(part) and holds_national_number(part):
            return problems.NATIONAL_NUMBER
    return None
