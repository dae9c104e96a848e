"""What could not be applied is a row with its reason, written in the transaction that passes it; announced without
its content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Row

from jalons.clock import new_id
from jalons.database import execute, one
from jalons.messaging.items import Entry, Item, Place
from jalons.messaging.outbox import Cause, Draft, Outbox
from schemas.dead_letter import ParkedV1, SetAsideV1
from schemas.topics import MAX_EVENT_BYTES


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead letter as the operator sees it: no content."""

    id: UUID
    kind: str
    place: Place
    source: str | None
    subject: str | None
    sequence: int | None
    type: str | None
    reason: str
    at: datetime
    attempts: int
    resolved: datetime | None
    waiting: int


def set_aside(conn: Connection, outbox: Outbox, item: Item, reason: str, now: datetime) -> bool:
    """Keep a record that nobody waits for, and announce it. Redelivered it is kept once: False the second time.

    The value is kept for a retry unless it is larger than any event may be.
    """
    return _store(conn, outbox, "set_aside", item, reason, now)


def park(conn: Connection, outbox: Outbox, item: Item, reason: str, now: datetime) -> bool:
    """Keep an event that a handler could not apply, and announce it."""
    return _store(conn, outbox, "parked", item, reason, now)


def wait_behind(conn: Connection, items: Sequence[Item]) -> None:
    """Keep events whose subject is parked, in their order; redelivered ones are there already."""
    for item in items:
        execute(
            conn,
            'INSERT INTO waiting (source, subject, sequence, id, topic, partition, "offset", value)'
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (item.source, item.subject, item.sequence, item.id, *_where(item.place), item.value),
        )


_LETTER = (
    'SELECT d.id, d.kind, d.topic, d.partition, d."offset", d.source, d.subject, d.sequence, d.type, d.reason, d.at,'
    " d.attempts, d.resolved, (SELECT count(*) FROM waiting w WHERE d.kind = 'parked' AND d.resolved IS NULL"
    " AND w.source = d.source AND w.subject = d.subject) AS waiting FROM dead_letters d"
)


def listed(conn: Connection, *, unresolved: bool = True, limit: int = 200) -> list[DeadLetter]:
    """Dead letters, oldest first."""
    which = "WHERE d.resolved IS NULL " if unresolved else ""
    return [_letter(row) for row in execute(conn, f"{_LETTER} {which}ORDER BY d.at, d.id LIMIT %s", (limit,))]


def open_now(conn: Connection) -> tuple[int, int]:
    """How many are open, and how many subjects of them are parked."""
    row = one(
        conn,
        "SELECT count(*) AS letters, count(*) FILTER (WHERE kind = 'parked') AS parked"
        " FROM dead_letters WHERE resolved IS NULL",
    )
    return row.letters, row.parked


def found(conn: Connection, letter_id: UUID) -> DeadLetter | None:
    """One dead letter."""
    row = execute(conn, f"{_LETTER} WHERE d.id = %s", (letter_id,)).fetchone()
    return _letter(row) if row else None


def entry_of(conn: Connection, letter_id: UUID) -> Item | None:
    """The kept record as it came; None where its value was too large to keep."""
    row = one(conn, "SELECT * FROM dead_letters WHERE id = %s", (letter_id,))
    if row.value is None:
        return None
    place = Place(row.topic, row.partition, row.offset)
    return Item(place, bytes(row.value), row.source, row.subject, row.sequence or 0, row.event_id or letter_id)


def waiting_behind(conn: Connection, source: str, subject: str) -> list[Entry]:
    """The events kept behind a parked one, in their order."""
    rows = execute(
        conn,
        "SELECT source, subject, sequence, id, value FROM waiting WHERE source = %s AND subject = %s ORDER BY sequence",
        (source, subject),
    )
    return [Entry(r.source, r.subject, r.sequence, r.id, bytes(r.value)) for r in rows]


def waits_no_more(conn: Connection, item: Item) -> None:
    """Forget the waiting events up to one that was applied."""
    execute(
        conn,
        "DELETE FROM waiting WHERE source = %s AND subject = %s AND sequence <= %s",
        (item.source, item.subject, item.sequence),
    )


def resolve(conn: Connection, letter_id: UUID, now: datetime) -> None:
    """Mark a dead letter as mended; its bytes are not needed any more."""
    execute(
        conn, "UPDATE dead_letters SET resolved = %s, value = NULL WHERE id = %s AND resolved IS NULL", (now, letter_id)
    )


def failed_again(conn: Connection, letter_id: UUID, reason: str) -> None:
    """Count a retry that did not help."""
    execute(conn, "UPDATE dead_letters SET attempts = attempts + 1, reason = %s WHERE id = %s", (reason, letter_id))


def _where(place: Place) -> tuple[str | None, int | None, int | None]:
    return place.topic, place.partition, place.offset


def _store(conn: Connection, outbox: Outbox, kind: str, item: Item, reason: str, now: datetime) -> bool:
    letter_id = new_id()
    fits = item.value is not None and len(item.value) <= MAX_EVENT_BYTES
    numbered = (item.source, item.subject, item.sequence, item.id) if item.sequence else (None,) * 4
    stored = execute(
        conn,
        'INSERT INTO dead_letters (id, kind, topic, partition, "offset", source, subject, sequence, event_id, type,'
        " reason, value, at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (letter_id, kind, *_where(item.place), *numbered, item.type, reason, item.value if fits else None, now),
    )
    if stored.rowcount == 0:
        return False
    announce = SetAsideV1 if kind == "set_aside" else ParkedV1
    data = announce(
        dead_letter_id=letter_id,
        service=outbox.service,
        topic=item.place.topic,
        partition=item.place.partition,
        offset=item.place.offset,
        reason=reason,
    )
    cause = Cause.of(item.event) if item.event else Cause(letter_id, letter_id)
    outbox.append(conn, [Draft(str(letter_id), data, now, "hub", cause)], now)
    return True


def _letter(row: Row[tuple[object, ...]]) -> DeadLetter:
    return DeadLetter(
        id=row.id,
        kind=row.kind,
        place=Place(row.topic, row.partition, row.offset),
        source=row.source,
        subject=row.subject,
        sequence=row.sequence,
        type=row.type,
        reason=row.reason,
        at=row.at,
        attempts=row.attempts,
        resolved=row.resolved,
        waiting=row.waiting,
    )
