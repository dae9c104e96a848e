"""A person is taken out of every table of referrals; what stays is the receipt, which names nobody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import Connection

from jalons.database import execute
from services.referrals.agreements.rules import Holder
from services.referrals.erasure.rules import KEPT, RETENTION_MONTHS

Why = Literal["asked", "retention"]

_ACTS = ("referrals", "trainings", "placements")
_OF_PERSON = ("deadlines", "needs", "activities", "consents", "disclosures", "aliases", "beneficiaries")
"""Tables whose rows of a person go, by `ref`."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an erasure did. acts: how many stay without the person; holders: who held something."""

    receipt_id: UUID
    home: str
    at: datetime
    why: Why
    acts: int
    holders: list[dict[str, Any]]


def destroy(conn: Connection, ref: UUID, now: datetime) -> int:
    """Destroy a person's key and take them out of every table; how many acts stay, each without the person.

    An act's `ref` becomes one of nobody, another for each, so that nothing joins them. Stored answers are blanked, so
    that a repeated call is not done anew.
    """
    execute(conn, "UPDATE person_keys SET wrapped = NULL WHERE ref = %s", (ref,))
    execute(
        conn,
        "UPDATE idempotency SET answer = '{\"erased\": true}' WHERE answer->>'beneficiary' IN"
        " (SELECT %s::text UNION ALL SELECT alias::text FROM aliases WHERE ref = %s)",
        (ref, ref),
    )
    acts = 0
    for table in _ACTS:
        acts += execute(
            conn,
            f"UPDATE {table} SET ref = gen_random_uuid(), version = version + 1, changed = %s,"
            " facts = (SELECT"
            " coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each(facts) WHERE key = ANY(%s))"
            " || '{\"erased\": true}' WHERE ref = %s",
            (now, list(KEPT), ref),
        ).rowcount
    for table in _OF_PERSON:
        execute(conn, f"DELETE FROM {table} WHERE ref = %s", (ref,))
    return acts


def keep_receipt(
    conn: Connection, receipt_id: UUID, home: str, at: datetime, why: Why, acts: int, holders: Sequence[Holder]
) -> None:
    """What was done, under an id of its own."""
    held = [{"partner": holder.partner, "references": list(holder.references)} for holder in holders]
    execute(
        conn,
        "INSERT INTO erasures (receipt_id, home, at, why, acts, holders) VALUES (%s, %s, %s, %s, %s, %s)",
        (receipt_id, home, at, why, acts, Jsonb(held)),
    )


def receipt(conn: Connection, receipt_id: UUID) -> Receipt | None:
    """One receipt."""
    row = execute(
        conn, "SELECT receipt_id, home, at, why, acts, holders FROM erasures WHERE receipt_id = %s", (receipt_id,)
    ).fetchone()
    return Receipt(*row) if row else None


@dataclass(frozen=True, slots=True)
class Leaver:
    """A person who left. months: the longest that a convention in force of their home partner lets keep."""

    ref: UUID
    home: str
    left_on: date
    months: int


def leavers(conn: Connection, today: date) -> list[Leaver]:
    """Everybody who left so long ago that they may be due (a month taken as 28 days), who left first first."""
    rows = execute(
        conn,
        "SELECT b.ref, b.home, b.left_on, coalesce(m.months, %s) AS months FROM beneficiaries b LEFT JOIN"
        " (SELECT party, max(retention_months) AS months FROM conventions, unnest(parties) AS party"
        " WHERE status = 'signed' GROUP BY party) m ON m.party = b.home"
        " WHERE b.status = 'left' AND b.left_on + 28 * coalesce(m.months, %s) < %s ORDER BY b.left_on, b.ref",
        (RETENTION_MONTHS, RETENTION_MONTHS, today),
    )
    return [Leaver(*row) for row in rows]
