"""Each partner knows an event, a call or a message by an id of its own, so that two partners cannot join their files.

The ids inside are UUIDv7: they tell when something happened, and what happened beside it. No partner is shown one, the
home partner included: whoever holds one could compute what was derived from it without the hub's secret.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from jalons.clock import BRUSSELS
from jalons.web.identity import Principal

OwnId = Callable[[UUID, str], UUID]
"""(id, reader) → the reader's own id of it."""


def own_id(secret: bytes, id: UUID, reader: str) -> UUID:  # noqa: A002 - what it is
    """A reader's own id of an event or call: an HMAC of both, formatted as a version 4 UUID, as an act's id is."""
    digest = hmac.digest(secret, id.bytes + reader.encode(), hashlib.sha256)
    return UUID(bytes=digest[:16], version=4)


def reader_of(principal: Principal) -> str:
    """Who reads: the caller's partner; a name that no partner can have if it belongs to none."""
    return principal.partner or "@network"


def day_of(at: datetime) -> datetime:
    """The day in Brussels at an instant, as its first instant."""
    return at.astimezone(BRUSSELS).replace(hour=0, minute=0, second=0, microsecond=0)


def minute_of(at: datetime) -> datetime:
    """The minute of an instant: whoever is written to knows that much of when it was."""
    return at.replace(second=0, microsecond=0)
