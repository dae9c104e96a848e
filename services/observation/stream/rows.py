"""Statements on the stream: positions are assigned and become visible in one order."""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter

from sqlalchemy import Connection, and_, func, select, update

from jalons.messaging.codec import opened, read
from jalons.messaging.tables import events
from jalons.postgres import copy_rows
from schemas.envelope import Event
from services.observation.pathways.rows import event_of
from services.observation.tables import derivations, stream_head, timeline

CHANNEL = "jalons_stream"
"""The NOTIFY channel that wakes streams; each process listens on one connection."""

Entries = list[tuple[int, Event]]
"""Events with their positions, in order."""


def take_positions(conn: Connection, number: int) -> int:
    """Assign `number` new positions and return the first. Wakes streams on commit.

    Other writers wait here until the caller commits, so that a position never becomes visible after a later one: call
    it as late as possible.
    """
    statement = (
        update(stream_head)
        .values(position=stream_head.c.position + number)
        .returning(stream_head.c.position, func.pg_notify(CHANNEL, ""))
    )
    return int(conn.execute(statement).one().position) - number + 1


def add_derivations(conn: Connection, derived: Iterable[tuple[int, Event]]) -> None:
    """Store the positions of observation's own events."""
    copy_rows(
        conn,
        derivations,
        [{"position": at, "sequence": event.sequence, "subject": event.subject} for at, event in derived],
    )


def head(conn: Connection) -> int:
    """The newest position."""
    return int(conn.scalars(select(stream_head.c.position)).one())


def page(conn: Connection, after: int, limit: int) -> tuple[Entries, int]:
    """The events after a position, at most `limit` positions further, and the position up to which they are complete.

    The head is read first: every position up to it is committed by then.
    """
    upto = min(head(conn), after + limit)
    if upto <= after:
        return [], after
    projected = select(timeline).where(timeline.c.position.between(after + 1, upto))
    own = (
        select(derivations.c.position, events.c.value)
        .join(events, and_(events.c.subject == derivations.c.subject, events.c.sequence == derivations.c.sequence))
        .where(derivations.c.position.between(after + 1, upto))
    )
    entries = [(row.position, event_of(row)) for row in conn.execute(projected)]
    entries += [(row.position, opened(read(row.value), None)) for row in conn.execute(own)]
    return sorted(entries, key=itemgetter(0)), upto
