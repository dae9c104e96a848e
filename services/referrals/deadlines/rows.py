"""Deadlines: the rows of the wait each act is in, written in the transaction that makes them due.

Who reads or writes an act's rows holds its person, or a convention's name.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert

from jalons.database import execute, one
from services.referrals.deadlines.rules import Deadline
from services.referrals.tables import deadlines


@dataclass(frozen=True, slots=True)
class Waiting:
    """What some deadlines are about. noun: referral, training, placement, convention or consent. ref: its person;
    None for a convention. wait: what it waits for."""

    noun: str
    about: UUID
    ref: UUID | None
    wait: str


def begin(conn: Connection, waiting: Waiting, call_id: UUID, due: Sequence[Deadline]) -> None:
    """Store the deadlines of a wait, unless they are stored already, done or not. call_id: the call that set them."""
    shared = {**asdict(waiting), "call_id": call_id}
    rows = [{**shared, "kind": each.kind, "number": each.number, "due_at": each.due_at} for each in due]
    if rows:
        conn.execute(insert(deadlines).on_conflict_do_nothing(), rows)


def end(conn: Connection, about: UUID, *, but: str | None = None) -> None:
    """A wait is over: its deadlines go, done or not. but: what is waited for now."""
    execute(conn, "DELETE FROM deadlines WHERE about = %s AND wait IS DISTINCT FROM %s", (about, but))


def oldest(conn: Connection) -> datetime | None:
    """When the next one falls due, or has; None if there is none."""
    found: datetime | None = one(conn, "SELECT min(due_at) AS at FROM deadlines WHERE done_at IS NULL").at
    return found


_DUE = "d.done_at IS NULL AND d.due_at <= %s AND d.about <> ALL(%s::uuid[])"


def take(conn: Connection, now: datetime, but: Collection[UUID]) -> Waiting | None:
    """What is due longest and nobody holds, its person held until the transaction ends; None if there is nothing.

    The person's row is the lock, first as for every writer: a person whom a call is about, or another loop, is passed
    over. The rows themselves may be done by now: `claim` says. but: what is left aside.
    """
    row = execute(
        conn,
        f"SELECT d.noun, d.about, d.ref, d.wait FROM deadlines d JOIN beneficiaries b ON b.ref = d.ref WHERE {_DUE}"
        " ORDER BY d.due_at LIMIT 1 FOR UPDATE OF b SKIP LOCKED",
        (now, list(but)),
    ).fetchone()
    if row is None:
        row = execute(
            conn,
            f"SELECT d.noun, d.about, d.ref, d.wait FROM deadlines d WHERE d.ref IS NULL AND {_DUE}"
            " ORDER BY d.due_at LIMIT 1",
            (now, list(but)),
        ).fetchone()
    return Waiting(*row) if row else None


def claim(conn: Connection, about: UUID, now: datetime) -> tuple[list[Deadline], UUID | None]:
    """All that is due of one act, done with this transaction, and the call that made it due; nothing if somebody else
    was there."""
    rows = execute(
        conn,
        "UPDATE deadlines SET done_at = %s WHERE about = %s AND done_at IS NULL AND due_at <= %s"
        " RETURNING kind, due_at, number, call_id",
        (now, about, now),
    ).fetchall()
    return [Deadline(row.kind, row.due_at, row.number) for row in rows], rows[0].call_id if rows else None


def late(conn: Connection, after: UUID, limit: int) -> list[Any]:
    """Referrals without an answer of which the coordinator was told, oldest first: id, reference, parties, moment,
    and when they were sent."""
    return execute(
        conn,
        "SELECT r.id, r.reference, r.referrer, r.recipient, r.moment, (r.facts->>'sent_at')::timestamptz AS sent_at"
        " FROM referrals r JOIN deadlines d ON d.about = r.id AND d.kind = 'escalate' AND d.done_at IS NOT NULL"
        " WHERE r.status IN ('sent', 'received') AND r.id > %s ORDER BY r.id LIMIT %s",
        (after, limit),
    ).fetchall()
