"""When a delivery is tried again: pauses double up to six hours, and it is given up after three days."""

from __future__ import annotations

from datetime import datetime, timedelta

FIRST_PAUSE_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 6 * 3600.0
GIVE_UP_AFTER = timedelta(days=3)
GIVE_UP_WITHOUT_OUTCOME_AFTER = timedelta(days=5)
"""For a delivery whose attempts never got an outcome, because the process ended during each of them."""
LONGEST_RETRY_AFTER_SECONDS = 24 * 3600.0


def next_attempt(
    number: int, since: datetime, now: datetime, spread: float, asked: float | None = None
) -> datetime | None:
    """When to try again after attempt `number` failed; None once the window that began at `since` is over.

    spread: 0 to 1, drawn at random, moves the pause by a fifth either way, so that many do not come back at once.
    asked: seconds that the receiver asked to wait; the pause is never shorter, up to a day.
    """
    if now - since >= GIVE_UP_AFTER:
        return None
    pause = min(FIRST_PAUSE_SECONDS * 2.0 ** min(number - 1, 20), LONGEST_PAUSE_SECONDS) * (0.8 + 0.4 * spread)
    return now + timedelta(seconds=max(pause, min(asked or 0.0, LONGEST_RETRY_AFTER_SECONDS)))


def after_crash(number: int, since: datetime, now: datetime, lease: timedelta) -> datetime:
    """When an attempt that begins now is made again if it never ends: not before its lease is over, and later each
    time, so that a message that kills the process does not do so every two minutes."""
    again = next_attempt(number, since, now, 0.5) or now + timedelta(seconds=LONGEST_PAUSE_SECONDS)
    return max(now + lease, again)
