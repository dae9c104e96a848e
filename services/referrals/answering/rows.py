"""What a partner has still to answer, found by role and status alone: nothing of a person is read for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection

from jalons.database import execute
from services.referrals.acts import lifecycle
from services.referrals.acts.lifecycle import AFTERWARDS, Table

MOST = 50
"""More than anybody answers at a sitting; the oldest come first."""

_NOT_ASKED = AFTERWARDS | {"cancel", "follow-up"}
"""Open, and nobody waits for it; a follow-up has its own time and mail."""


def _open(table: Table, role: str) -> list[str]:
    statuses = {status for row in table for status in row.source}
    return sorted(s for s in statuses if set(lifecycle.open_actions(table, s, {role})) - _NOT_ASKED)


ROLES = [
    ("referral", "recipient", _open(lifecycle.REFERRAL, "recipient")),
    ("training", "operator", _open(lifecycle.TRAINING, "operator")),
    ("placement", "employer", _open(lifecycle.PLACEMENT, "employer")),
    ("placement", "proposer", _open(lifecycle.PLACEMENT, "proposer")),
]


def partners_at(conn: Connection, mailbox: str) -> list[str]:
    """The partners of the network that have this mailbox on file."""
    rows = execute(
        conn,
        "SELECT slug FROM partners WHERE lower(mailbox) = lower(%s) AND status <> 'left' ORDER BY slug",
        (mailbox,),
    )
    return [row.slug for row in rows]


def waiting_for(conn: Connection, partner: str) -> tuple[list[dict[str, Any]], bool]:
    """`noun`, `id` and `reference` of what is open to a partner by its role, oldest first; whether there is more."""
    found = [each for role in ROLES for each in _of(conn, partner, *role)]
    once = {each["id"]: each for each in sorted(found, key=lambda each: str(each["id"]))}
    return list(once.values())[:MOST], len(once) > MOST


def _of(conn: Connection, partner: str, noun: str, role: str, statuses: Sequence[str]) -> Iterator[dict[str, Any]]:
    rows = execute(
        conn,
        f"SELECT id, reference FROM {noun}s WHERE {role} = %s AND status = ANY(%s)"
        " AND facts->>'erased' IS NULL ORDER BY id LIMIT %s",
        (partner, list(statuses), MOST + 1),
    )
    for row in rows:
        yield {"noun": noun, "id": str(row.id), "reference": row.reference}
