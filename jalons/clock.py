"""The one place that reads the clock and makes ids; everything else is handed both."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from uuid import UUID, uuid4, uuid5
from zoneinfo import ZoneInfo

import uuid_utils.compat

BRUSSELS = ZoneInfo("Europe/Brussels")
"""Months, dates and working days are those of the network's offices."""


def now() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(UTC)


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
