"""Rows of deadlines, written in the transaction of the call that sets them.

Whoever reads or writes the deadlines of a subject holds its person's row, or the name of the convention.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Connection,
    DateTime,
    Row,
    Uuid,
    cast,
    delete,
    func,
    literal,
    select,
    tuple_,
    union,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from services.referrals.calls.cursors import place
from services.referrals.deadlines.rules import UNANSWERED, Deadline
from services.referrals.tables import beneficiaries, consents, deadlines, referrals, trainings


@dataclass(frozen=True, slots=True)
class DeadlineSubject:
    """What deadlines are about: an act, a consent or a convention, and what it waits for.

    noun: referral, training, placement, convention or consent. about: its id. ref: its person; None for a convention.
    """

    noun: str
    about: UUID
    ref: UUID | None
    wait: str


def begin(conn: Connection, subject: DeadlineSubject, call_id: UUID, due: Sequence[Deadline]) -> None:
    """Store the deadlines of a wait, unless they are stored already, done or not. call_id: the call that set them."""
    shared = {**asdict(subject), "call_id": call_id}
    rows = [{**shared, "kind": each.kind, "number": each.number, "due_at": each.due_at} for each in due]
    if rows:
        conn.execute(insert(deadlines).on_conflict_do_nothing(), rows)


def ask_cover(conn: Connection, convention: Mapping[str, Any], call_id: UUID, now: datetime) -> None:
    """Have the clock loop look, person by person, at what a convention that changed covers now. convention: its row.

    One statement, however many persons: nobody's call waits for them.
    """
    ways = sorted({(each["from"], each["to"]) for each in convention["scope"]})
    named = [convention["convention_id"], *convention["carries"]]
    refs = union(
        select(referrals.c.ref).where(tuple_(referrals.c.referrer, referrals.c.recipient).in_(ways)),
        select(trainings.c.ref).where(tuple_(trainings.c.home, trainings.c.operator).in_(ways)),
        select(consents.c.ref).where(consents.c.convention_id.in_(named), consents.c.withdrawn.is_(None)),
    ).subquery()
    row = (literal("person"), refs.c.ref, refs.c.ref, literal("cover"), literal("cover"), literal(1))
    found = select(*row, literal(now), literal(call_id, Uuid)).join(beneficiaries, beneficiaries.c.ref == refs.c.ref)
    columns = ["noun", "about", "ref", "wait", "kind", "number", "due_at", "call_id"]
    asked = insert(deadlines).from_select(columns, found)
    again = {"due_at": asked.excluded.due_at, "call_id": asked.excluded.call_id, "done_at": None}
    key = [deadlines.c.about, deadlines.c.kind, deadlines.c.number]
    conn.execute(asked.on_conflict_do_update(index_elements=key, set_=again))


def end(conn: Connection, about: UUID, *, but: str | None = None) -> None:
    """Delete the deadlines of a wait that is over, done or not. but: the wait whose deadlines stay."""
    conn.execute(delete(deadlines).where(deadlines.c.about == about, deadlines.c.wait.is_distinct_from(but)))


def oldest(conn: Connection) -> datetime | None:
    """The earliest time at which something is due or overdue; None if there is no open deadline."""
    found: datetime | None = conn.execute(
        select(func.min(deadlines.c.due_at)).where(deadlines.c.done_at.is_(None))
    ).scalar()
    return found


def take(conn: Connection, now: datetime, but: Collection[UUID]) -> DeadlineSubject | None:
    """The subject that has been due longest and that nobody else holds; None if there is none. but: ids to skip.

    Its person's row is locked until the transaction ends, first as by every writer; a person whom a call or another
    loop has locked is skipped. The deadlines may be done by now: `claim` says. A convention is not locked here.
    """
    due = deadlines.c
    open_now = (
        select(due.noun, due.about, due.ref, due.wait)
        .where(due.done_at.is_(None), due.due_at <= now, due.about.not_in(list(but)))
        .order_by(due.due_at)
        .limit(1)
    )
    of_person = open_now.join(beneficiaries, beneficiaries.c.ref == due.ref)
    row = conn.execute(of_person.with_for_update(of=beneficiaries, skip_locked=True)).first()
    row = row or conn.execute(open_now.where(due.ref.is_(None))).first()
    return DeadlineSubject(*row) if row else None


def claim(conn: Connection, about: UUID, now: datetime) -> tuple[list[Deadline], UUID | None]:
    """Mark all that is due of a subject as done, in this transaction; returns it, and the call that set it.

    Returns nothing if another loop did it first.
    """
    due = deadlines.c
    rows = conn.execute(
        update(deadlines)
        .where(due.about == about, due.done_at.is_(None), due.due_at <= now)
        .values(done_at=now)
        .returning(due.kind, due.due_at, due.number, due.call_id)
    ).all()
    return [Deadline(row.kind, row.due_at, row.number) for row in rows], rows[0].call_id if rows else None


def late(conn: Connection, after: str | None, limit: int) -> Sequence[Row[Any]]:
    """A page of the unanswered referrals that were escalated to the coordinator, oldest first. after: the last
    reference of the previous page.

    Each with reference, referrer, recipient, moment and sent_at. Raises UnknownCursor.
    """
    acts = referrals.c
    escalated = (deadlines.c.about == acts.id) & (deadlines.c.kind == "escalate") & deadlines.c.done_at.is_not(None)
    sent_at = cast(acts.facts["sent_at"].astext, DateTime(timezone=True)).label("sent_at")
    page = (
        select(acts.reference, acts.referrer, acts.recipient, acts.moment, sent_at)
        .join(deadlines, escalated)
        .where(acts.status.in_(UNANSWERED), ~acts.facts.has_key("uncovered_on"))
        .order_by(acts.added)
        .limit(limit)
    )
    if after is not None:
        page = page.where(acts.added > place(conn, referrals, acts.reference, after))
    return conn.execute(page).all()
