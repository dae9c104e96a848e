"""Deliveries as rows: kept once whatever is redelivered, stopped, shown; in the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    FromClause,
    Row,
    bindparam,
    case,
    literal,
    null,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from jalons.postgres import notify
from jalons.privacy.own_ids import own_id
from services.notifications.tables import attempts, deliveries, queues

Json = dict[str, Any]

WAKE_CHANNEL = "jalons_deliveries_due"
"""The NOTIFY channel that wakes dispatchers."""


class UnknownCursor(Exception):
    """The cursor is of no message of this list."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message about one event, to one recipient, by one channel."""

    delivery_id: UUID
    event_id: UUID
    about_type: str
    channel: str
    recipient: str
    trial: bool
    correlation: UUID
    reference: str | None = None
    contact: str | None = None
    subscription: str | None = None
    traceparent: str | None = None
    facts: Json | None = None
    body: str | None = None
    person: bytes | None = None


@dataclass(frozen=True, slots=True)
class Closed:
    """A delivery that came to its end. status: `sent`, `failed`, `suppressed`; cause: why it was not sent, a code of
    `causes`."""

    delivery_id: UUID
    event_id: UUID
    about_type: str
    channel: str
    recipient: str
    correlation: UUID
    traceparent: str | None
    attempts: int
    status: str
    cause: str | None

    @classmethod
    def of(cls, delivery: Delivery, status: str, cause: str | None, attempts: int) -> Closed:
        """From the delivery in hand."""
        about = {name: getattr(delivery, name) for name in _CLOSED}
        return cls(**about, attempts=attempts, status=status, cause=cause)


_CLOSED = ("delivery_id", "event_id", "about_type", "channel", "recipient", "correlation", "traceparent")
COLUMNS = tuple(deliveries.c[name] for name in Delivery.__slots__)


def is_open(table: FromClause = deliveries) -> ColumnElement[bool]:
    """Whether a delivery may still be sent. The statuses are literals in the statement: with parameters a prepared plan
    could not use the partial index of what is due."""
    statuses: BindParameter[str] = bindparam(
        "open", ("pending", "waiting"), unique=True, expanding=True, literal_execute=True
    )
    return table.c.status.in_(statuses)


def delivery_id(secret: bytes, event_id: UUID, channel: str, recipient: str, subscription: str | None = None) -> UUID:
    """A delivery's id, the same each time it is derived: of a message, each of its attempts, and its `webhook-id`."""
    return own_id(secret, event_id, f"{channel}|{recipient}|{subscription or ''}")


def add(conn: Connection, new: Sequence[Delivery], now: datetime) -> None:
    """Keep deliveries to be sent, each once, and wake the dispatchers."""
    if not new:
        return
    conn.execute(insert(deliveries).on_conflict_do_nothing(), _values(new, now, status="pending"))
    keys = sorted({(each.channel, each.recipient) for each in new})
    free = [{"channel": channel, "recipient": recipient, "free_at": now} for channel, recipient in keys]
    conn.execute(insert(queues).on_conflict_do_nothing(), free)
    wake(conn)


def add_suppressed(conn: Connection, new: Sequence[Delivery], cause: str, now: datetime) -> list[Closed]:
    """Keep deliveries that are never sent, each once and without its content; returns those that are new."""
    if not new:
        return []
    empty = [replace(each, body=None, facts=None, person=None) for each in new]
    values = _values(empty, now, status="suppressed", cause=cause)
    adding = insert(deliveries).values(values).on_conflict_do_nothing().returning(deliveries.c.delivery_id)
    added = set(conn.scalars(adding))
    return [Closed.of(each, "suppressed", cause, 0) for each in empty if each.delivery_id in added]


def _values(new: Sequence[Delivery], now: datetime, **state: str) -> list[Json]:
    """In the order of their ids, so that two transactions lock them in one order."""
    ordered = sorted({each.delivery_id: each for each in new}.values(), key=lambda each: each.delivery_id)
    return [{**asdict(each), **state, "due_at": now, "since": now, "made": now} for each in ordered]


def wake(conn: Connection) -> None:
    """Wake the dispatchers when this transaction commits."""
    notify(conn, WAKE_CHANNEL)


def suppress(conn: Connection, person: bytes, partners: Collection[str]) -> list[Closed]:
    """Stop what is open about a person for these partners, and destroy its content."""
    stopping = (
        update(deliveries)
        .where(deliveries.c.person == person, deliveries.c.recipient.in_(partners), is_open())
        .values(status="suppressed", cause="consent_withdrawn", body=null(), facts=null(), person=null())
        .returning(*(deliveries.c[name] for name in (*_CLOSED, "attempts", "status", "cause")))
    )
    return [Closed(**row) for row in conn.execute(stopping).mappings()]


def forget(conn: Connection, person: bytes) -> None:
    """Stop what is open about a person, for anybody, and destroy its content and every link to the person. What was
    sent has lost both already."""
    conn.execute(
        update(deliveries)
        .where(deliveries.c.person == person)
        .values(
            body=null(),
            facts=null(),
            person=null(),
            cause=case((is_open(), "person_erased"), else_=deliveries.c.cause),
            status=case((is_open(), "suppressed"), else_=deliveries.c.status),
        )
    )


def recheck(conn: Connection, partners: Collection[str], now: datetime) -> None:
    """Make due what waits for the record of one of these partners."""
    waiting = update(deliveries).where(
        deliveries.c.status == "waiting",
        deliveries.c.cause != "subscription_paused",
        or_(deliveries.c.recipient.in_(partners), deliveries.c.contact.in_(partners)),
    )
    if conn.execute(waiting.values(due_at=now)).rowcount:
        wake(conn)


def resume(conn: Connection, partner: str, subscription: str, now: datetime) -> None:
    """Make due what waits for a paused subscription."""
    waiting = update(deliveries).where(
        deliveries.c.channel == "webhook",
        deliveries.c.recipient == partner,
        deliveries.c.subscription == subscription,
        deliveries.c.status == "waiting",
        deliveries.c.cause == "subscription_paused",
    )
    conn.execute(waiting.values(due_at=now))
    wake(conn)


def retry(conn: Connection, which: UUID, now: datetime) -> None:
    """Make a delivery due, with a new window of attempts."""
    chosen = update(deliveries).where(deliveries.c.delivery_id == which)
    conn.execute(chosen.values(status="pending", due_at=now, since=now))
    wake(conn)


def lock(conn: Connection, which: UUID) -> Row[Any] | None:
    """A delivery's recipient and status, and whether it still has its content; locked until the transaction ends."""
    whole = or_(deliveries.c.body.is_not(None), deliveries.c.facts.is_not(None)).label("whole")
    kept = select(deliveries.c.recipient, deliveries.c.status, whole).where(deliveries.c.delivery_id == which)
    return conn.execute(kept.with_for_update()).one_or_none()


_SHOWN = select(
    *(deliveries.c[name] for name in ("delivery_id", "event_id", "about_type", "reference", "channel", "recipient")),
    *(deliveries.c[name] for name in ("subscription", "status", "cause", "due_at")),
)


def listed(conn: Connection, *, before: UUID | None, limit: int, **equal: str | None) -> list[Json]:
    """Deliveries with their attempts, newest first. before: the last of the previous page. equal: values of
    `recipient`, `status`, `channel`; None for any. Raises UnknownCursor for a message that is not in this list, which
    would tell which of two was first."""
    wanted = [deliveries.c[name] == value for name, value in equal.items() if value is not None]
    if before is not None:
        last = conn.scalar(select(deliveries.c.made).where(deliveries.c.delivery_id == before, *wanted))
        if last is None:
            raise UnknownCursor
        wanted.append(tuple_(deliveries.c.made, deliveries.c.delivery_id) < tuple_(literal(last), literal(before)))
    newest = (deliveries.c.made.desc(), deliveries.c.delivery_id.desc())
    rows = conn.execute(_SHOWN.where(*wanted).order_by(*newest).limit(limit)).mappings()
    return _with_attempts(conn, rows.all())


def shown(conn: Connection, which: UUID) -> Json | None:
    """One delivery with its attempts."""
    rows = conn.execute(_SHOWN.where(deliveries.c.delivery_id == which)).mappings()
    return next(iter(_with_attempts(conn, rows.all())), None)


def _with_attempts(conn: Connection, found: Sequence[Mapping[Any, Any]]) -> list[Json]:
    by_id: dict[UUID, list[Json]] = {each["delivery_id"]: [] for each in found}
    tried = select(attempts).where(attempts.c.delivery_id.in_(by_id)).order_by(attempts.c.number)
    for row in conn.execute(tried).mappings():
        by_id[row["delivery_id"]].append(dict(row))
    return [{**each, "attempts": by_id[each["delivery_id"]]} for each in found]
