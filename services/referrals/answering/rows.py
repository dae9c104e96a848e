"""The acts that a partner still has to answer, found by role and status; no row of a person is read."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table, func, select

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
    unique = {each["id"]: each for each in sorted(found, key=lambda each: str(each["id"]))}
    return list(unique.values())[:MOST], len(unique) > MOST


def _in_role(conn: Connection, partner: str, noun: str, role: str, statuses: list[str]) -> list[dict[str, Any]]:
    acts = _TABLES[noun].c
    found = (
        select(acts.id, acts.reference)
        .where(acts[role] == partner, acts.status.in_(statuses), ~acts.facts.has_key("erased"))
        .order_by(acts.id)
        .limit(MOST + 1)
    )
    return [{"noun": noun, "id": str(row.id), "reference": row.reference} for row in conn.execute(found)]
