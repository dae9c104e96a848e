"""Ids as a reader sees them, computed with the hub's secret as the hub does."""

from __future__ import annotations

from uuid import UUID

from jalons.privacy.own_ids import own_id
from jalons.privacy.sealing import derive


def own(secret: str, known: UUID | str, reader: str) -> str:
    """A reader's own id of an event or call. secret: the hub's secret key."""
    return str(own_id(derive(secret, "own-ids"), UUID(str(known)), reader))
