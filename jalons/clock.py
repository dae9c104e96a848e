"""The one place that reads the clock and makes ids; everything else is handed both.

Two clocks. `now` is the hub's time: whatever is recorded, falls due, is tried again or is counted by month goes by it.
It is the real time, unless the hub runs with a test clock, which may have moved it forward. `real_now` is for what
others outside check by their own clocks: tokens and signing keys. What only waits (a pause between two tries, a cache,
the session of a consumer, a lock) goes by `time.monotonic` or by the server that holds it, and is never moved.

A lease of a message on its way to a mail server or webhook goes by `now`, as its next attempt does, since both stand
in one column: time moved while an attempt is in hand may make the message go twice, under its one id, as a crash may.
"""

from __future__ import annotations

import threading
import time as _time
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from uuid import UUID, uuid4, uuid5
from zoneinfo import ZoneInfo

import uuid_utils.compat

BRUSSELS = ZoneInfo("Europe/Brussels")
"""Months, dates and working days are those of the network's offices."""


def now() -> datetime:
    """The present instant, aware, in UTC; by the test clock, if there is one."""
    return real_now() + _moved.offset() if _moved else real_now()


def real_now() -> datetime:
    """The present instant outside, aware, in UTC, whatever a test clock says."""
    return datetime.now(UTC)


class NoTestClock(Exception):
    """The hub does not run with a test clock."""


class NotForward(Exception):
    """The instant lies before the present one of the test clock."""


class _Moved:
    """How far ahead of the real time the hub is: seconds in a file that all its processes read, and that is written
    whole or not at all. Time goes on running from wherever it was moved to."""

    _LOOK_SECONDS = 1.0

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._offset = timedelta()
        self._looked = float("-inf")

    def offset(self) -> timedelta:
        """As the file said a second ago at most."""
        if _time.monotonic() - self._looked >= self._LOOK_SECONDS:
            self._read()
        return self._offset

    def move_to(self, instant: datetime) -> None:
        """From now on it is this instant. Raises NotForward."""
        with self._lock:
            self._read()
            ahead = instant - real_now()
            if ahead < self._offset:
                raise NotForward
            half = self._path.with_suffix(".new")
            half.write_text(f"{ahead.total_seconds()}\n", encoding="ascii")
            half.replace(self._path)
            self._read()

    def _read(self) -> None:
        """A file that is not there: time was never moved."""
        self._looked = _time.monotonic()
        if self._path.exists():
            self._offset = timedelta(seconds=float(self._path.read_text(encoding="ascii")))


_moved: _Moved | None = None


def follow(path: Path | None) -> None:
    """Go by a test clock's file from now on, or by the real time; a process says so once, when it starts."""
    global _moved  # noqa: PLW0603 - there is one time in a process
    _moved = _Moved(path) if path else None


def move_to(instant: datetime) -> None:
    """Move the hub's time forward; its other processes see it within a second. Raises NoTestClock and NotForward."""
    if _moved is None:
        raise NoTestClock
    _moved.move_to(instant)


def pause(seconds: float) -> float:
    """How long to rest before looking again for what falls due: so long, but a second at most with a test clock."""
    return min(seconds, 1.0) if _moved else seconds


def new_id() -> UUID:
    """A UUIDv7: sorts by when it was made, so that indexes grow at one end."""
    return uuid_utils.compat.uuid7()


def new_ref() -> UUID:
    """A person's ref: a UUIDv4, since a v7 would tell when the person first came."""
    return uuid4()


def derived_id(cause: UUID, name: str) -> UUID:
    """The id of what follows from a cause: the same each time it is derived (UUIDv5)."""
    return uuid5(cause, name)


def local_date(instant: datetime) -> date:
    """The date in Brussels."""
    return instant.astimezone(BRUSSELS).date()


def month_of(instant: datetime) -> str:
    """The month in Brussels, `2026-11`."""
    return instant.astimezone(BRUSSELS).strftime("%Y-%m")


def happened(on: date | None, recorded: datetime) -> datetime:
    """When an act happened: the moment it is recorded, or noon in Brussels of an earlier day that was named."""
    if on is None or on == local_date(recorded):
        return recorded
    return datetime.combine(on, time(12), BRUSSELS)
