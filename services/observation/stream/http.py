"""`GET /stream`: server-sent events, each cut to its reader, none without its line in the audit; a slow or gone reader
costs a bounded amount."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Annotated, Any

import anyio
import psycopg
from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import StreamingResponse
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import Message, Receive, Scope, Send

from jalons.clock import new_id, now
from jalons.database import transaction
from jalons.privacy import audit as audits
from jalons.privacy.audit import Audit, Line
from jalons.privacy.disclosure import Alias, cut, for_coordinator
from jalons.web.application import Actor
from jalons.web.identity import Principal, require
from jalons.web.problems import Problem
from schemas.catalogue import TYPES
from schemas.envelope import Event
from schemas.topics import PATHWAYS
from services.observation.pathways import rows as store
from services.observation.stream.tail import PAGE, Entries, Tail

log = logging.getLogger(__name__)

MOST = 100
HEARTBEAT_SECONDS = 15.0
"""A stream that has nothing to tell for so long says that it is alive; and looks again."""
STUCK_SECONDS = 60.0
"""A reader that takes nothing for so long is let go."""
LONGEST_SECONDS = 3600.0
"""Then a stream ends, so that its reader comes back with a token that is still good; `Last-Event-ID` loses nothing."""
READING_AT_ONCE = 2
"""Streams that read pages from the database at the same time; the delivery needs its connections."""
KEEPING_AT_ONCE = 2
"""Streams that write their lines at the same time; what is new does not wait for those that read pages."""

Caller = Annotated[Principal, Depends(require("partner", "coordinator"))]
See = Callable[[Event], dict[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads a stream, in one call as long as it is open; which types; and what of each event."""

    caller: audits.Caller
    types: frozenset[str]
    see: See

    def shown(self, entries: Entries) -> tuple[bytes, list[Line]]:
        """The frames of these events, and the line that each leaves."""
        frames, lines = [], []
        for position, event in entries:
            if event.type in self.types and (seen := self.see(event)) is not None:
                frames.append(_frame(position, event.type, seen))
                lines.append(audits.line_of(event.subject, event.data, audits.READ))
        return b"".join(frames), [line for line in lines if line is not None]


class Streams:
    """The open streams of this process."""

    def __init__(self, engine: Engine, tail: Tail, alias: Alias, audit: Audit) -> None:
        self._engine = engine
        self._tail = tail
        self._alias = alias
        self._audit = audit
        self._open = 0
        self._reading = anyio.CapacityLimiter(READING_AT_ONCE)
        self._keeping = anyio.CapacityLimiter(KEEPING_AT_ONCE)

    async def open(self, caller: Principal, by: str | None, types: frozenset[str], after: int | None) -> Sse:
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
        reader = Reader(audits.Caller(caller, new_id(), now(), by), types, self._eyes(caller))
        return Sse(_alive(self._frames(reader, start)), self._close)

    def _close(self) -> None:
        self._open -= 1

    def _eyes(self, caller: Principal) -> See:
        partner = caller.partner
        if caller.has("coordinator"):
            return for_coordinator
        return lambda event: cut(event, partner, self._alias) if partner else None

    async def _frames(self, reader: Reader, position: int) -> AsyncIterator[bytes]:
        """What comes while a batch's lines are being kept goes together in the next."""
        clock = asyncio.get_running_loop().time
        ends = clock() + LONGEST_SECONDS
        yield b"retry: 2000\n\n"
        with self._tail.listening() as woken:
            while not self._tail.stopped and clock() < ends:
                woken.clear()
                frames, upto = await self._next(reader, position)
                if frames:
                    yield frames
                if upto == position:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(HEARTBEAT_SECONDS):
                            await woken.wait()
                position = upto

    async def _next(self, reader: Reader, position: int) -> tuple[bytes, int]:
        """What the reader is shown next, and up to where that is all; nothing while the database is away. From memory,
        else a page from the database; given once its lines are committed. Where nobody knows whether they are, or the
        reader has left, there is a line too many, never one too few."""
        in_thread = anyio.to_thread.run_sync
        try:
            if (found := self._tail.after(position)) is None:
                found = await in_thread(self._page, position, limiter=self._reading)
            entries, upto = found
            frames, lines = reader.shown(entries)
            if lines:
                await in_thread(self._keep, reader, lines, limiter=self._keeping)
        except (SQLAlchemyError, psycopg.Error) as error:
            log.warning("a stream waits: %s", type(error).__name__)
            return b"", position
        return frames, upto

    def _keep(self, reader: Reader, lines: list[Line]) -> None:
        with transaction(self._engine) as conn:
            self._audit.write(conn, replace(reader.caller, now=now()), lines)

    def _page(self, position: int) -> tuple[Entries, int]:
        with transaction(self._engine) as conn:
            return store.page(conn, position, PAGE)

    def _head(self) -> int:
        with transaction(self._engine) as conn:
            return store.head(conn)


async def _alive(frames: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """These, and a sign of life whenever none came for so long, whatever they wait for."""
    coming = asyncio.ensure_future(anext(frames, None))
    try:
        while True:
            await asyncio.wait({coming}, timeout=HEARTBEAT_SECONDS)
            if not coming.done():
                yield b":\n\n"
            elif (come := coming.result()) is None:
                return
            else:
                yield come
                coming = asyncio.ensure_future(anext(frames, None))
    finally:
        coming.cancel()


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
        by: Actor,
        types: Annotated[str | None, Query(max_length=2000, description="types, by comma, `*` for any part")] = None,
        after: Annotated[int | None, Query(ge=0, description="a position; without it only what comes from now")] = None,
        last_event_id: Annotated[int | None, Header(ge=0, description="where a broken stream ended")] = None,
    ) -> StreamingResponse:
        """Each event has observation's own position as `id`; sealed fields are left out (`GET /events` has them). Each
        leaves a line in the audit before it is given."""
        wanted = _wanted(types)
        return await streams.open(caller, by, wanted, after if last_event_id is None else last_event_id)

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


def _frame(position: int, type_: str, seen: dict[str, Any]) -> bytes:
    data = json.dumps(seen, ensure_ascii=False, separators=(",", ":"))
    return f"id: {position}\nevent: {type_}\ndata: {data}\n\n".encode()
