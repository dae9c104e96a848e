"""When a message is tried again: later each time, at most every six hours, given up after three days."""

from __future__ import annotations

from datetime import datetime, timedelta

FIRST = 30.0
LONGEST = 6 * 3600.0
GIVEN_UP_AFTER = timedelta(days=3)
LOST_AFTER = timedelta(days=5)
"""For what never got an outcome, because the process ended in the middle of each attempt."""
ASKED_MOST = 24 * 3600.0
"""A receiver's Retry-After is honoured up to a day."""


def next_attempt(
    number: int, since: datetime, now: datetime, spread: float, asked: float | None = None
) -> datetime | None:
    """When to try again after attempt `number` failed; None once the window since the first one is over.

    spread: 0 to 1, drawn at random, moves the pause by a fifth either way, so that many do not come back at once.
    asked: seconds the receiver wants to be left alone; the pause is never shorter, up to a day.
    """
    if now - since >= GIVEN_UP_AFTER:
        return None
    pause = min(FIRST * 2.0 ** min(number - 1, 20), LONGEST) * (0.8 + 0.4 * spread)
    return now + timedelta(seconds=max(pause, min(asked or 0.0, ASKED_MOST)))


def cut_short(number: int, since: datetime, now: datetime, lease: timedelta) -> datetime:
    """When an attempt that begins now and never ends is made again: not before its lease is over, and later each time,
    so that a message that kills the process does not do so, or arrive, every two minutes."""
    again = next_attempt(number, since, now, 0.5) or now + timedelta(seconds=LONGEST)
    return max(now + lease, again)
