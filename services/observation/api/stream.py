"""`GET /stream`: server-sent events, each cut to its reader; a slow or gone reader costs a bounded amount."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from fnmatch import fnmatchcase
from typing import Annotated, Any

import anyio
import psycopg
from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import StreamingResponse
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import Message, Receive, Scope, Send

from jalons.database import transaction
from jalons.identity import Principal, require
from jalons.privacy.disclosure import Alias, cut, for_coordinator
from jalons.problems import Problem
from schemas.catalogue import TYPES
from schemas.envelope import Event
from schemas.topics import PATHWAYS
from services.observation import store
from services.observation.tail import PAGE, Entries, Tail

log = logging.getLogger(__name__)

MOST = 100
HEARTBEAT_SECONDS = 15.0
STUCK_SECONDS = 60.0
"""A reader that takes nothing for so long is let go."""
LONGEST_SECONDS = 3600.0
"""Then a stream ends, so that its reader comes back with a token that is still good; `Last-Event-ID` loses nothing."""
READING_AT_ONCE = 2
"""Streams that read pages from the database at the same time; the delivery needs its connections."""

Caller = Annotated[Principal, Depends(require("partner", "coordinator"))]
See = Callable[[Event], dict[str, Any] | None]


class Streams:
    """The open streams of this process."""

    def __init__(self, engine: Engine, tail: Tail, alias: Alias) -> None:
        self._engine = engine
        self._tail = tail
        self._alias = alias
        self._open = 0
        self._reading = anyio.CapacityLimiter(READING_AT_ONCE)

    async def open(self, caller: Principal, types: frozenset[str], after: int | None) -> Sse:
        """A new stream. Raises Problem 503 if there are too many."""
        if self._open >= MOST:
            raise Problem(
                503,
                "too_many_streams",
                f"This service keeps {MOST} streams open and has no more.",
                "Try again a little later, or read GET /events.",
                headers={"Retry-After": "10"},
            )
        self._open += 1
        try:
            newest = await anyio.to_thread.run_sync(self._head, limiter=self._reading)
        except BaseException:
            self._close()
            raise
        start = newest if after is None else min(after, newest)
        return Sse(self._frames(self._eyes(caller), types, start), self._close)

    def _close(self) -> None:
        self._open -= 1

    def _eyes(self, caller: Principal) -> See:
        partner = caller.partner
        if caller.has("coordinator"):
            return for_coordinator
        return lambda event: cut(event, partner, self._alias) if partner else None

    async def _frames(self, see: See, types: frozenset[str], position: int) -> AsyncIterator[bytes]:
        clock = asyncio.get_running_loop().time
        sent = opened = clock()
        yield b"retry: 2000\n\n"
        with self._tail.listening() as woken:
            while not self._tail.stopped and clock() < opened + LONGEST_SECONDS:
                woken.clear()
                entries, upto = await self._next(position)
                if frames := b"".join(_frame(*entry, see) for entry in entries if entry[1].type in types):
                    sent = clock()
                    yield frames
                if upto == position:
                    try:
                        async with asyncio.timeout_at(sent + HEARTBEAT_SECONDS):
                            await woken.wait()
                    except TimeoutError:
                        sent = clock()
                        yield b":\n\n"
                position = upto

    async def _next(self, position: int) -> tuple[Entries, int]:
        """From memory, else a page from the database; nothing while that is away."""
        found = self._tail.after(position)
        if found is not None:
            return found
        try:
            return await anyio.to_thread.run_sync(self._page, position, limiter=self._reading)
        except (SQLAlchemyError, psycopg.Error) as error:
            log.warning("a stream waits: %s", type(error).__name__)
            return [], position

    def _page(self, position: int) -> tuple[Entries, int]:
        with transaction(self._engine) as conn:
            return store.page(conn, position, PAGE)

    def _head(self) -> int:
        with transaction(self._engine) as conn:
            return store.head(conn)


class Sse(StreamingResponse):
    """The answer; it gives its place back however it ends."""

    def __init__(self, frames: AsyncIterator[bytes], done: Callable[[], None]) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(frames, headers=headers, media_type="text/event-stream")
        self._done = done

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""

        async def in_time(message: Message) -> None:
            async with asyncio.timeout(STUCK_SECONDS):
                await send(message)

        try:
            await super().__call__(scope, receive, in_time)
        except TimeoutError:
            log.info("a stream's reader took nothing for %.0f s and is let go", STUCK_SECONDS)
        finally:
            self._done()


def stream_routes(streams: Streams) -> APIRouter:
    """The one route."""
    routes = APIRouter(tags=["stream"])

    @routes.get(
        "/stream",
        summary="Events as they come, server-sent, cut to the caller",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {"example": _EXAMPLE}}}},
    )
    async def stream(
        caller: Caller,
        types: Annotated[str | None, Query(max_length=2000, description="types, by comma, `*` for any part")] = None,
        after: Annotated[int | None, Query(ge=0, description="a position; without it only what comes from now")] = None,
        last_event_id: Annotated[int | None, Header(ge=0, description="where a broken stream ended")] = None,
    ) -> StreamingResponse:
        """Each event has observation's own position as `id`; sealed fields are left out (`GET /events` has them)."""
        wanted = _wanted(types)
        return await streams.open(caller, wanted, after if last_event_id is None else last_event_id)

    return routes


_EXAMPLE = 'id: 41\nevent: jalons.referral.sent.v1\ndata: {"specversion":"1.0","type":"jalons.referral.sent.v1"}\n\n'
_STREAMED = frozenset(name for name, payload in TYPES.items() if payload.TOPIC == PATHWAYS)


def _wanted(asked: str | None) -> frozenset[str]:
    """The types that are asked for. Raises Problem 422 if one pattern is of none."""
    if asked is None:
        return _STREAMED
    found: set[str] = set()
    for pattern in asked.split(","):
        matching = {name for name in _STREAMED if _matches(name, pattern.strip())}
        if not matching:
            raise Problem(
                422,
                "unknown_type",
                "No type of event matches one of those asked for.",
                "Ask for types named under `types`, with `*` for any part of a name.",
                types=sorted(_STREAMED),
            )
        found |= matching
    return frozenset(found)


def _matches(name: str, pattern: str) -> bool:
    """Of the whole name, or of it without `jalons.` and version, as people say it: `referral.*`."""
    said = name.removeprefix("jalons.").rpartition(".")[0]
    return fnmatchcase(name, pattern) or fnmatchcase(said, pattern)


def _frame(position: int, event: Event, see: See) -> bytes:
    seen = see(event)
    if seen is None:
        return b""
    data = json.dumps(seen, ensure_ascii=False, separators=(",", ":"))
    return f"id: {position}\nevent: {event.type}\ndata: {data}\n\n".encode()
