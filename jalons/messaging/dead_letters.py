"""An event that cannot be applied is stored with its reason, in the transaction that passes over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Select, and_, case, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from jalons.clock import new_id
from jalons.messaging import tables
from jalons.messaging.items import Item, Place
from jalons.messaging.outbox import Cause, Draft, Outbox
from schemas.dead_letter import ParkedV1, SetAsideV1
from schemas.topics import MAX_EVENT_BYTES

_LETTERS = tables.dead_letters
_WAITING = tables.waiting


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead letter as an operator sees it, without its content. waiting: events that wait behind it."""

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
    """Store a record that no other event waits for, and announce it. False: it was redelivered and is stored already.

    The value is kept for a retry unless it is larger than an event may be.
    """
    return _store(conn, outbox, "set_aside", item, reason, now)


def park(conn: Connection, outbox: Outbox, item: Item, reason: str, now: datetime) -> bool:
    """Store an event that a handler could not apply, and announce it."""
    return _store(conn, outbox, "parked", item, reason, now)


def disown(conn: Connection, outbox: Outbox, item: Item, reason: str, now: datetime) -> bool:
    """Store what its source did not write, and announce it: a record that came, or (without a value) what was applied.
    False: it is stored already."""
    return _store(conn, outbox, "forged", item, reason, now)


def add_waiting(conn: Connection, items: Sequence[Item]) -> None:
    """Store events whose subject is parked; those that are stored already stay."""
    if not items:
        return
    rows = [
        {
            "source": item.source,
            "subject": item.subject,
            "sequence": item.sequence,
            "id": item.id,
            **_place(item.place),
            "value": item.value,
        }
        for item in items
    ]
    conn.execute(insert(_WAITING).on_conflict_do_nothing(), rows)


def listed(conn: Connection, *, unresolved: bool = True, limit: int = 200) -> list[DeadLetter]:
    """Dead letters, oldest first."""
    query = _letters().order_by(_LETTERS.c.at, _LETTERS.c.id).limit(limit)
    if unresolved:
        query = query.where(_LETTERS.c.resolved.is_(None))
    return [_letter(row) for row in conn.execute(query)]


def count_open(conn: Connection) -> tuple[int, int, int]:
    """How many dead letters are open, how many of them park a subject, and how many their source did not write."""
    parked, forged = (func.count().filter(_LETTERS.c.kind == kind) for kind in ("parked", "forged"))
    row = conn.execute(select(func.count(), parked, forged).where(_LETTERS.c.resolved.is_(None))).one()
    return row[0], row[1], row[2]


def first_forged(conn: Connection) -> DeadLetter | None:
    """The oldest open one that its source did not write."""
    query = _letters().where(_LETTERS.c.kind == "forged", _LETTERS.c.resolved.is_(None))
    row = conn.execute(query.order_by(_LETTERS.c.at, _LETTERS.c.id).limit(1)).one_or_none()
    return _letter(row) if row else None


def find(conn: Connection, letter_id: UUID) -> DeadLetter | None:
    """One dead letter."""
    row = conn.execute(_letters().where(_LETTERS.c.id == letter_id)).one_or_none()
    return _letter(row) if row else None


def stored_item(conn: Connection, letter_id: UUID) -> Item | None:
    """The stored record, not decoded; None if its value was too large to keep."""
    row = conn.execute(select(_LETTERS).where(_LETTERS.c.id == letter_id)).one()
    if row.value is None:
        return None
    place = Place(row.topic, row.partition, row.offset)
    return Item(place, row.value, row.source, row.subject, row.sequence or 0, row.event_id or letter_id)


def waiting_behind(conn: Connection, source: str, subject: str) -> list[Item]:
    """The events stored behind a parked one, by sequence, not decoded."""
    query = select(_WAITING).where(_WAITING.c.source == source, _WAITING.c.subject == subject)
    return [
        Item(Place(row.topic, row.partition, row.offset), row.value, row.source, row.subject, row.sequence, row.id)
        for row in conn.execute(query.order_by(_WAITING.c.sequence))
    ]


def remove_waiting(conn: Connection, items: Sequence[Item]) -> None:
    """Delete waiting events."""
    for item in items:
        this = and_(
            _WAITING.c.source == item.source,
            _WAITING.c.subject == item.subject,
            _WAITING.c.sequence == item.sequence,
        )
        conn.execute(delete(_WAITING).where(this))


def resolve(conn: Connection, letter_id: UUID, now: datetime) -> None:
    """Mark a dead letter as resolved and drop its value."""
    this = and_(_LETTERS.c.id == letter_id, _LETTERS.c.resolved.is_(None))
    conn.execute(update(_LETTERS).where(this).values(resolved=now, value=None))


def count_failed_retry(conn: Connection, letter_id: UUID, reason: str) -> None:
    """Count a retry that failed, and keep its reason."""
    more = {"attempts": _LETTERS.c.attempts + 1, "reason": reason}
    conn.execute(update(_LETTERS).where(_LETTERS.c.id == letter_id).values(more))


def _letters() -> Select[Any]:
    behind = select(func.count()).where(
        _WAITING.c.source == _LETTERS.c.source, _WAITING.c.subject == _LETTERS.c.subject
    )
    holds = and_(_LETTERS.c.kind == "parked", _LETTERS.c.resolved.is_(None))
    content = {_LETTERS.c.value, _LETTERS.c.event_id}
    columns = [column for column in _LETTERS.c if column not in content]
    return select(*columns, case((holds, behind.scalar_subquery()), else_=0).label("waiting"))


def _place(place: Place) -> dict[str, object]:
    return {"topic": place.topic, "partition": place.partition, "offset": place.offset}


def _store(conn: Connection, outbox: Outbox, kind: str, item: Item, reason: str, now: datetime) -> bool:
    letter_id = new_id()
    fits = item.value is not None and len(item.value) <= MAX_EVENT_BYTES
    row = {"id": letter_id, "kind": kind, "type": item.type, "reason": reason, "at": now, **_place(item.place)}
    row["value"] = item.value if fits else None
    if item.sequence:
        row |= {"source": item.source, "subject": item.subject, "sequence": item.sequence, "event_id": item.id}
    stored = conn.execute(insert(_LETTERS).values(row).on_conflict_do_nothing().returning(_LETTERS.c.id))
    if stored.first() is None:
        return False
    announce = ParkedV1 if kind == "parked" else SetAsideV1
    data = announce(dead_letter_id=letter_id, service=outbox.service, reason=reason, **_place(item.place))
    cause = Cause.of(item.event) if item.event else Cause(letter_id, letter_id)
    outbox.append(conn, [Draft(str(letter_id), data, now, "hub", cause)], now)
    return True


def _letter(row: Row[Any]) -> DeadLetter:
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
