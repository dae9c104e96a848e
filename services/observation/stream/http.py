"""`GET /stream`: server-sent events, each cut to its reader and shown only once its audit line is committed. A slow or
disconnected reader costs a bounded amount."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Annotated, Any
from uuid import UUID

import anyio
import psycopg
from fastapi import APIRouter, Depends, Header, Query
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sse_starlette import EventSourceResponse, JSONServerSentEvent, ServerSentEvent
from starlette.types import Receive, Scope, Send

from jalons.clock import new_id, now
from jalons.database import transaction
from jalons.messaging import generation
from jalons.privacy import audit as audits
from jalons.privacy.audit import Audit, AuditLine
from jalons.privacy.cursors import Cursors
from jalons.privacy.disclosure import Alias, cut, for_coordinator
from jalons.privacy.own_ids import OwnId, reader_of
from jalons.web.application import Actor
from jalons.web.identity import Principal, require
from jalons.web.problems import Problem
from schemas.catalogue import TYPES
from schemas.envelope import Event
from schemas.topics import PATHWAYS
from services.observation.stream import rows
from services.observation.stream.rows import Entries
from services.observation.stream.tail import PAGE, Tail

log = logging.getLogger(__name__)

MOST = 100
HEARTBEAT_SECONDS = 15.0
"""Interval of the comments that keep a silent connection open, and of looking for events without being woken."""
STUCK_SECONDS = 60.0
"""A reader that accepts nothing for this long is disconnected."""
LONGEST_SECONDS = 3600.0
"""A stream ends after this, so that its reader reconnects with a valid token; `Last-Event-ID` loses nothing."""
RETRY_MILLISECONDS = 2000
READING_AT_ONCE = 2
"""Streams that read pages from the database at the same time; delivery needs its connections."""
AUDITING_AT_ONCE = 2
"""Streams that write audit lines at the same time; kept apart, so that new events do not wait for pages."""

Caller = Annotated[Principal, Depends(require("partner", "coordinator"))]
Cut = Callable[[Event], dict[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads a stream, which types, what of each event, and by which cursors. The whole stream is one call in the
    audit."""

    caller: audits.Caller
    types: frozenset[str]
    cut: Cut
    cursor: Callable[[int], str]

    def shown(self, entries: Entries) -> tuple[bytes, list[AuditLine]]:
        """What the reader is sent of these events, and the audit line of each event shown."""
        frames, lines = [], []
        for position, event in entries:
            if event.type in self.types and (seen := self.cut(event)) is not None:
                frames.append(JSONServerSentEvent(seen, id=self.cursor(position), event=event.type, sep="\n").encode())
                lines.append(audits.line_of(event.subject, event.data, audits.READ))
        return b"".join(frames), [line for line in lines if line is not None]


class Streams:
    """The open streams of this process."""

    def __init__(self, engine: Engine, tail: Tail, alias: Alias, own: OwnId, cursors: Cursors, audit: Audit) -> None:
        self._engine = engine
        self._tail = tail
        self._alias = alias
        self._own = own
        self._cursors = cursors
        self._audit = audit
        self._open = 0
        self._reading = anyio.CapacityLimiter(READING_AT_ONCE)
        self._auditing = anyio.CapacityLimiter(AUDITING_AT_ONCE)

    async def open(
        self, caller: Principal, by: str | None, types: frozenset[str], after: str | None
    ) -> EventSourceResponse:
        """A new stream. Raises Problem 422 for a cursor that is none, 503 if too many are open."""
        if self._open >= MOST:
            raise Problem(
                503,
                "too_many_streams",
                f"This service keeps {MOST} streams open and has no more.",
                "Try again a little later, or read GET /events.",
                headers={"Retry-After": "10"},
            )
        self._open += 1
        name = reader_of(caller)
        try:
            newest, of = await anyio.to_thread.run_sync(self._head, limiter=self._reading)
            start = newest if after is None else generation.place_of(after, name, self._cursors, of)
        except BaseException:
            self._close()
            raise
        reader = Reader(
            audits.Caller(caller, new_id(), now(), by),
            types,
            self._cut(caller),
            lambda position: self._cursors.seal(of, position, name),
        )
        return StreamResponse(self._frames(reader, start), self._close)

    def _close(self) -> None:
        self._open -= 1

    def _cut(self, caller: Principal) -> Cut:
        partner = caller.partner
        if caller.has("coordinator"):
            return lambda event: for_coordinator(event, reader_of(caller), self._own)
        return lambda event: cut(event, partner, self._alias, self._own) if partner else None

    async def _frames(self, reader: Reader, position: int) -> AsyncIterator[bytes]:
        """Events that arrive while audit lines are being written go together into the next batch."""
        clock = asyncio.get_running_loop().time
        ends = clock() + LONGEST_SECONDS
        yield ServerSentEvent(retry=RETRY_MILLISECONDS, sep="\n").encode()
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
        """What comes after a position, from memory or else from the database, and up to which position. Empty while
        the database is away.

        Audit lines are committed first. Where the outcome of that commit is unknown, or the reader has disconnected,
        there is a line too many, never one too few.
        """
        in_thread = anyio.to_thread.run_sync
        try:
            if (found := self._tail.after(position)) is None:
                found = await in_thread(self._page, position, limiter=self._reading)
            entries, upto = found
            frames, lines = reader.shown(entries)
            if lines:
                await in_thread(self._write_audit, reader, lines, limiter=self._auditing)
        except (SQLAlchemyError, psycopg.Error) as error:
            log.warning("a stream waits: %s", type(error).__name__)
            return b"", position
        return frames, upto

    def _write_audit(self, reader: Reader, lines: list[AuditLine]) -> None:
        with transaction(self._engine) as conn:
            self._audit.write(conn, replace(reader.caller, now=now()), lines)

    def _page(self, position: int) -> tuple[Entries, int]:
        with transaction(self._engine) as conn:
            return rows.page(conn, position, PAGE)

    def _head(self) -> tuple[int, UUID]:
        with transaction(self._engine) as conn:
            return rows.head(conn), generation.current(conn)


class _KeepAlive(ServerSentEvent):
    """An empty comment."""

    def encode(self) -> bytes:
        return b":\n\n"


class StreamResponse(EventSourceResponse):
    """The response; calls `done` however it ends."""

    def __init__(self, frames: AsyncIterator[bytes], done: Callable[[], None]) -> None:
        super().__init__(
            frames, ping=HEARTBEAT_SECONDS, ping_message_factory=_KeepAlive, send_timeout=STUCK_SECONDS, sep="\n"
        )
        self._done = done

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except TimeoutError:
            log.info("a stream's reader accepted nothing for %.0f s and is disconnected", STUCK_SECONDS)
        finally:
            self._done()


def stream_routes(streams: Streams) -> APIRouter:
    """The route."""
    routes = APIRouter(tags=["stream"])

    @routes.get(
        "/stream",
        summary="Events as they come, server-sent, cut to the caller",
        response_class=EventSourceResponse,
        responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}}}},
    )
    async def stream(
        caller: Caller,
        by: Actor,
        types: Annotated[str | None, Query(max_length=2000, description="types, by comma, `*` for any part")] = None,
        after: Annotated[
            str | None,
            Query(
                max_length=generation.CURSOR_MOST,
                description="the `id` of an event received; without it only what comes from now, `0` for all",
            ),
        ] = None,
        last_event_id: Annotated[
            str | None, Header(max_length=generation.CURSOR_MOST, description="where a broken stream ended")
        ] = None,
    ) -> EventSourceResponse:
        """Each event has a cursor of the caller's own as `id`; sealed fields are left out (`GET /events` has them).
        Each writes a line to the audit before it is sent."""
        return await streams.open(caller, by, _matching(types), after if last_event_id is None else last_event_id)

    return routes


_EXAMPLE = (
    'id: q1ZUk0pZ\nevent: jalons.referral.sent.v1\ndata: {"specversion":"1.0","type":"jalons.referral.sent.v1"}\n\n'
)
_STREAMED = frozenset(name for name, payload in TYPES.items() if payload.TOPIC == PATHWAYS)


def _matching(patterns: str | None) -> frozenset[str]:
    """The event types that match any of the patterns; all if there are none. Raises Problem 422 if a pattern matches no
    type."""
    if patterns is None:
        return _STREAMED
    found: set[str] = set()
    for pattern in patterns.split(","):
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
    """Whether a pattern matches the whole name, or the name without `jalons.` and version, as in `referral.*`."""
    short = name.removeprefix("jalons.").rpartition(".")[0]
    return fnmatchcase(name, pattern) or fnmatchcase(short, pattern)
