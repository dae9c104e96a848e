"""The queue of each recipient and channel: one message in flight, its attempt committed before it is sent.

Locks are taken in one order everywhere: queue, subscription, delivery.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, ScalarSelect, Update, and_, exists, func, insert, null, select, update

from schemas.routing import FRONT
from services.notifications.deliveries import partners
from services.notifications.deliveries.gate import PartnerRecord
from services.notifications.deliveries.rows import COLUMNS, Delivery, is_open
from services.notifications.tables import attempts, deliveries, queues

NAMED = ("phone_of", "answer")
"""The facts of an e-mail that name further partners: whose telephone it gives, and who is answered."""


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery whose turn has come. recipient, contact: their newest records in the directory; number: of the
    attempt, from 1; since: start of its window, at the first attempt or the wait before it; waited: whether it was
    waiting for something; cause: of the last failure; known: the records of all partners that the message has to do
    with, by slug."""

    delivery: Delivery
    recipient: PartnerRecord | None
    contact: PartnerRecord | None
    number: int
    since: datetime
    waited: bool
    cause: str | None
    known: Mapping[str, PartnerRecord] = field(default_factory=dict)


def claim(conn: Connection, channel: str, now: datetime, lease: timedelta) -> Due | None:
    """Take the free queue that was served longest ago and read its first due delivery, in the order of events.

    The queue is the caller's until `release` or the end of the lease. The delivery is not locked yet (see `begin`).
    """
    oldest = select(queues.c.recipient).where(queues.c.channel == channel, _served(now)).order_by(queues.c.free_at)
    recipient = conn.scalar(oldest.limit(1).with_for_update(skip_locked=True))
    if recipient is None:
        return None
    release(conn, channel, recipient, now + lease)
    first = (
        select(*COLUMNS, deliveries.c.attempts, deliveries.c.since, deliveries.c.status, deliveries.c.cause)
        .where(deliveries.c.channel == channel, deliveries.c.recipient == recipient, _is_due(now))
        .order_by(deliveries.c.due_at, deliveries.c.event_id, deliveries.c.delivery_id)
        .limit(1)
    )
    row = conn.execute(first).one_or_none()
    if row is None:  # it was stopped since the queue was chosen
        release(conn, channel, recipient, now)
        return None
    delivery = Delivery(**{name: getattr(row, name) for name in Delivery.__slots__})
    named = [name for each in NAMED if (name := (delivery.facts or {}).get(each))]
    known = partners.find(conn, {delivery.recipient, delivery.contact or delivery.recipient, FRONT, *named})
    return Due(
        delivery=delivery,
        recipient=known.get(delivery.recipient),
        contact=known.get(delivery.contact or ""),
        known=known,
        number=row.attempts + 1,
        since=row.since,
        waited=row.status == "waiting",
        cause=row.cause,
    )


def begin(conn: Connection, due: Due, since: datetime, now: datetime, again: datetime) -> bool:
    """Record that an attempt begins. again: when it is made again if it never ends; an earlier attempt without an end
    is closed as interrupted. False if the delivery was stopped meanwhile, or is being changed."""
    chosen = update(deliveries).where(deliveries.c.delivery_id == _unlocked(due))
    begun = conn.execute(chosen.values(status="pending", attempts=due.number, since=since, due_at=again))
    if begun.rowcount == 0:
        return False
    which = due.delivery.delivery_id
    conn.execute(
        update(attempts)
        .where(attempts.c.delivery_id == which, attempts.c.ended.is_(None))
        .values(ended=now, outcome="interrupted", cause="process_ended")
    )
    conn.execute(insert(attempts).values(delivery_id=which, number=due.number, began=now))
    return True


def end(conn: Connection, due: Due, outcome: str, cause: str | None, now: datetime) -> None:
    """Record how an attempt ended."""
    this = (attempts.c.delivery_id == due.delivery.delivery_id, attempts.c.number == due.number)
    conn.execute(update(attempts).where(*this).values(ended=now, outcome=outcome, cause=cause))


def try_again(conn: Connection, due: Due, cause: str | None, at: datetime) -> bool:
    """Schedule the next attempt; False if the delivery is no longer this attempt's to decide about."""
    return conn.execute(_attempted(due).values(cause=cause, due_at=at)).rowcount == 1


def close(conn: Connection, due: Due, status: str, cause: str | None) -> bool:
    """Close a delivery after an attempt; destroys its sealed body and the link to the person. False as above."""
    closed = _attempted(due).values(status=status, cause=cause, body=null(), person=null())
    return conn.execute(closed).rowcount == 1


def wait(conn: Connection, due: Due, cause: str, until: datetime) -> None:
    """Leave a delivery that lacks something for later, unless it was stopped meanwhile or is being changed."""
    chosen = update(deliveries).where(deliveries.c.delivery_id == _unlocked(due))
    conn.execute(chosen.values(status="waiting", cause=cause, due_at=until))


def give_up(conn: Connection, due: Due, status: str, cause: str) -> bool:
    """Close a delivery without an attempt; destroys its sealed body and the link to the person. False if it was closed
    already, or is being changed."""
    chosen = update(deliveries).where(deliveries.c.delivery_id == _unlocked(due))
    return conn.execute(chosen.values(status=status, cause=cause, body=null(), person=null())).rowcount == 1


def release(conn: Connection, channel: str, recipient: str, at: datetime) -> None:
    """Give a queue back; it is served again from `at`."""
    queue = update(queues).where(queues.c.channel == channel, queues.c.recipient == recipient)
    conn.execute(queue.values(free_at=at))


def due_by_channel(conn: Connection, now: datetime) -> dict[str, int]:
    """How many queues have a due delivery, by channel."""
    counted = select(queues.c.channel, func.count().label("due")).where(_served(now)).group_by(queues.c.channel)
    return {row.channel: row.due for row in conn.execute(counted)}


def _served(now: datetime) -> ColumnElement[bool]:
    """Whether a queue is free and has a due delivery."""
    same = and_(deliveries.c.channel == queues.c.channel, deliveries.c.recipient == queues.c.recipient)
    return and_(queues.c.free_at <= now, exists().where(same, _is_due(now)))


def _is_due(now: datetime) -> ColumnElement[bool]:
    return and_(is_open(), deliveries.c.due_at <= now)


def _attempted(due: Due) -> Update:
    return update(deliveries).where(
        deliveries.c.delivery_id == due.delivery.delivery_id,
        deliveries.c.attempts == due.number,
        deliveries.c.status == "pending",
    )


def _unlocked(due: Due) -> ScalarSelect[UUID]:
    """The delivery, if it still awaits this attempt and nobody is changing it. A lock is not waited for: whoever stops
    what is open about a person holds several deliveries."""
    this = deliveries.alias()
    return (
        select(this.c.delivery_id)
        .where(
            this.c.delivery_id == due.delivery.delivery_id,
            this.c.attempts == due.number - 1,
            is_open(this),
        )
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
