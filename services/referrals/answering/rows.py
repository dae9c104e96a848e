"""The acts that a partner still has to answer, found by role and status; no row of a person is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Table, func, literal, select
from sqlalchemy.dialects.postgresql import array

from services.referrals import tables
from services.referrals.acts import lifecycle
from services.referrals.acts.lifecycle import AFTERWARDS

MOST = 50
"""The most acts named in one mail; more than anybody answers at a sitting."""

_NOT_ASKED = AFTERWARDS | {"cancel", "follow-up"}
"""Actions that are open but that nobody waits for; a follow-up has a time and a mail of its own."""
_TABLES: dict[str, Table] = {
    "referral": tables.referrals,
    "training": tables.trainings,
    "placement": tables.placements,
}


def _statuses(table: lifecycle.Table, role: str) -> list[str]:
    """The statuses in which an answer of a role is waited for."""
    statuses = {status for row in table for status in row.source}
    return sorted(s for s in statuses if set(lifecycle.open_actions(table, s, {role})) - _NOT_ASKED)


ROLES = [
    ("referral", "recipient", _statuses(lifecycle.REFERRAL, "recipient")),
    ("training", "operator", _statuses(lifecycle.TRAINING, "operator")),
    ("placement", "employer", _statuses(lifecycle.PLACEMENT, "employer")),
    ("placement", "proposer", _statuses(lifecycle.PLACEMENT, "proposer")),
]
"""Noun, role, and the statuses in which the role has something to answer."""


def partners_at(conn: Connection, mailbox: str) -> list[str]:
    """The slugs of the network's partners with this mailbox on file."""
    partners = tables.partners.c
    found = select(partners.slug).where(func.lower(partners.mailbox) == func.lower(mailbox), partners.status != "left")
    return list(conn.execute(found.order_by(partners.slug)).scalars())


def unanswered_by(conn: Connection, partner: str) -> tuple[list[dict[str, Any]], bool]:
    """`noun`, `id` and `reference` of the acts a partner has to answer, oldest first, at most MOST; whether there are
    more."""
    found = [each for noun, role, statuses in ROLES for each in _in_role(conn, partner, noun, role, statuses)]
    unique = {row.id: row for row in sorted(found, key=lambda row: row.added)}
    oldest = [{"noun": row.noun, "id": str(row.id), "reference": row.reference} for row in unique.values()]
    return oldest[:MOST], len(oldest) > MOST


def _in_role(conn: Connection, partner: str, noun: str, role: str, statuses: list[str]) -> Sequence[Row[Any]]:
    acts = _TABLES[noun].c
    found = (
        select(literal(noun).label("noun"), acts.id, acts.reference, acts.added)
        .where(acts[role] == partner, acts.status.in_(statuses), ~acts.facts.has_any(array(["erased", "uncovered_on"])))
        .order_by(acts.added)
        .limit(MOST + 1)
    )
    return conn.execute(found).all()
