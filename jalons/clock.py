"""Reads the clock and makes ids; all other code receives both as arguments.

There are two clocks. `now` is the hub's time: it decides what is recorded, falls due, is retried or is counted by
month. It is the real time unless the hub runs with a test clock, which can be moved forward. `real_now` is the real
time, for what other systems check with their own clocks: tokens and signing keys. Waiting (pauses between attempts,
caches, consumer sessions, locks) uses `time.monotonic` or the server's own time, and is never moved.

The lease of a message that is being sent uses `now`, because it shares a column with the time of the next attempt.
Moving the time during an attempt may therefore send the message twice with the same id, as a crash may.
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
"""Time zone of months, dates and working days."""


def now() -> datetime:
    """The hub's current time (aware, UTC); the test clock's, if there is one."""
    return real_now() + _test_clock.offset() if _test_clock else real_now()


def real_now() -> datetime:
    """The real current time (aware, UTC), even with a test clock."""
    return datetime.now(UTC)


class NoTestClock(Exception):
    """The hub does not run with a test clock."""


class NotForward(Exception):
    """The instant is before the test clock's current time."""


class _TestClock:
    """An offset to the real time, in seconds, in a file that all processes of the hub read. The file is replaced
    atomically. Time runs on from the instant it was moved to."""

    _REFRESH_SECONDS = 1.0

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._offset = timedelta()
        self._read_at = float("-inf")

    def offset(self) -> timedelta:
        """The offset to the real time, read from the file at most one second ago."""
        if _time.monotonic() - self._read_at >= self._REFRESH_SECONDS:
            self._read()
        return self._offset

    def move_to(self, instant: datetime) -> None:
        """Set the current time. Raises NotForward."""
        with self._lock:
            self._read()
            ahead = instant - real_now()
            if ahead < self._offset:
                raise NotForward
            new = self._path.with_suffix(".new")
            new.write_text(f"{ahead.total_seconds()}\n", encoding="ascii")
            new.replace(self._path)
            self._read()

    def _read(self) -> None:
        """Read the file; without a file the offset is zero."""
        self._read_at = _time.monotonic()
        if self._path.exists():
            self._offset = timedelta(seconds=float(self._path.read_text(encoding="ascii")))


_test_clock: _TestClock | None = None


def follow(path: Path | None) -> None:
    """Use the test clock in this file, or the real time if None. Called once, when a process starts."""
    global _test_clock  # noqa: PLW0603 - a process has one clock
    _test_clock = _TestClock(path) if path else None


def move_to(instant: datetime) -> None:
    """Move the hub's time forward; other processes see it within a second. Raises NoTestClock and NotForward."""
    if _test_clock is None:
        raise NoTestClock
    _test_clock.move_to(instant)


def pause(seconds: float) -> float:
    """Seconds until the next poll for due work: as given, but at most one with a test clock."""
    return min(seconds, 1.0) if _test_clock else seconds


def new_id() -> UUID:
    """A UUIDv7: ordered by creation time, so that new index entries are appended."""
    return uuid_utils.compat.uuid7()


def random_id() -> UUID:
    """The id of something that partners meet, such as a person's ref or an act: a UUIDv4, because a UUIDv7 would reveal
    when it was made, and what was made beside it. What has such an id is ordered by a column of its own."""
    return uuid4()


def derived_id(cause: UUID, name: str) -> UUID:
    """The id of a consequence of `cause`: a UUIDv5, the same each time it is derived."""
    return uuid5(cause, name)


def local_date(instant: datetime) -> date:
    """The date in Brussels at an instant."""
    return instant.astimezone(BRUSSELS).date()


def month_of(instant: datetime) -> str:
    """The month in Brussels at an instant, such as `2026-11`."""
    return instant.astimezone(BRUSSELS).strftime("%Y-%m")


def happened(on: date | None, recorded: datetime) -> datetime:
    """When an act happened: `recorded` if `on` is None or the same day, else noon in Brussels on that day."""
    if on is None or on == local_date(recorded):
        return recorded
    return datetime.combine(on, time(12), BRUSSELS)
