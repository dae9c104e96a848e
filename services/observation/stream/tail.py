"""Reads the newest events once for all streams of this process, and wakes them within milliseconds of a commit."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Engine

from jalons.database import transaction
from jalons.postgres import Direct, await_notice, listen
from jalons.process.parts import Heartbeat, Part
from schemas.envelope import Event
from services.observation.stream import rows
from services.observation.stream.rows import Entries

PAGE = 500
KEPT = 1000
"""Events kept in memory; a stream that is further behind reads pages from the database."""
POLL_SECONDS = 5.0
"""A fallback for a lost NOTIFY."""

Waiter = tuple[asyncio.AbstractEventLoop, asyncio.Event]


class Tail:
    """A part with one LISTENing connection. It reads only while a stream is open."""

    def __init__(self, engine: Engine, connect: Callable[[], Direct], *, kept: int = KEPT) -> None:
        self._engine = engine
        self._connect = connect
        self._entries: deque[tuple[int, Event]] = deque(maxlen=kept)
        self._start: int | None = None
        self._end = 0
        self._waiters: set[Waiter] = set()
        self._lock = threading.Lock()
        self.stopped = False
        """Whether streams should end."""

    @property
    def part(self) -> Part:
        """The tail as a part of a process."""
        return Part("tail", self._run)

    @contextmanager
    def listening(self) -> Iterator[asyncio.Event]:
        """An asyncio event that is set whenever there may be something new."""
        waiter = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            self._waiters.add(waiter)
        try:
            yield waiter[1]
        finally:
            with self._lock:
                self._waiters.discard(waiter)

    def after(self, position: int) -> tuple[Entries, int] | None:
        """The events after a position, and the position up to which they are complete. None if memory does not reach
        back to the position."""
        with self._lock:
            if self._start is None or position < self._start:
                return None
            new: Entries = []
            for entry in reversed(self._entries):
                if entry[0] <= position:
                    break
                new.append(entry)
            return new[::-1], max(position, self._end)

    def read(self) -> None:
        """Read what was committed since the last read, and wake the streams. While none is open, drop everything."""
        with self._lock:
            wanted = bool(self._waiters)
        if not wanted:
            self._forget()
            return
        with transaction(self._engine) as conn:
            if self._start is None:
                position = rows.head(conn)
                with self._lock:
                    self._start = self._end = position
            else:
                self._add(*rows.page(conn, self._end, PAGE))
        self._wake()

    def _add(self, entries: Entries, upto: int) -> None:
        with self._lock:
            for entry in entries:
                if len(self._entries) == self._entries.maxlen:
                    self._start = self._entries[0][0]
                self._entries.append(entry)
            self._end = upto

    def _forget(self) -> None:
        with self._lock:
            self._entries.clear()
            self._start = None

    def _wake(self) -> None:
        with self._lock:
            waiters = list(self._waiters)
        for loop, event in waiters:
            with suppress(RuntimeError):  # its loop was closed
                loop.call_soon_threadsafe(event.set)

    def _run(self, heartbeat: Heartbeat) -> None:
        try:
            with self._connect() as conn:
                listen(conn, rows.CHANNEL)
                while not heartbeat.stopping.is_set():
                    self._catch_up(heartbeat.stopping)
                    heartbeat.beat(POLL_SECONDS)
                    await_notice(conn, POLL_SECONDS, heartbeat.stopping)
        finally:
            self._forget()
            self.stopped = heartbeat.stopping.is_set()
            self._wake()

    def _catch_up(self, stopping: threading.Event) -> None:
        more = True
        while more and not stopping.is_set():
            before, listening = self._end, self._start is not None
            self.read()
            more = self._end - before >= PAGE or (not listening and self._start is not None)
