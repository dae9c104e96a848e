"""The generation of a log: a log that was restored has a new one, so that places in the lost part are not believed."""

from __future__ import annotations

from uuid import UUID, uuid4

from sqlalchemy import Connection, select, update

from jalons.messaging.tables import log_generation
from jalons.privacy.cursors import Cursors, InvalidCursor
from jalons.web.problems import Problem

FIRST = "0"
"""As a cursor: from the beginning."""
CURSOR_MOST = 100


def current(conn: Connection) -> UUID:
    """The log's generation."""
    found: UUID = conn.scalars(select(log_generation.c.generation)).one()
    return found


def renew(conn: Connection) -> UUID:
    """Begin a new generation, and return it: whoever restores a log from a copy calls this before it is read."""
    new = uuid4()
    conn.execute(update(log_generation).values(generation=new))
    return new


def place_of(cursor: str | None, reader: str, cursors: Cursors, generation: UUID) -> int:
    """The position after which a reader continues; 0 without a cursor. Raises Problem 422."""
    if cursor in (None, FIRST):
        return 0
    try:
        of, place = cursors.read(cursor or "", reader)
    except InvalidCursor:
        raise Problem(
            422, "invalid_cursor", "The cursor is not one this service gave you.", "Begin again without a cursor."
        ) from None
    if of != generation:
        raise Problem(
            422,
            "log_restored",
            "The log was restored from a copy since this cursor was given; what came after the copy is lost.",
            "Begin again without a cursor, and drop the events whose `id` you have already.",
        )
    return place
