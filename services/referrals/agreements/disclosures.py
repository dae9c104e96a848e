"""Stores which partner was shown which fields of a person, when, by which referral, and what was withheld and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from services.referrals.agreements.rules import Disclosed
from services.referrals.tables import disclosures

How = Literal["sent", "read"]


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What one partner was shown of a person by a referral."""

    referral_id: UUID
    reference: str
    ref: UUID
    partner: str
    disclosed: Disclosed


def record(conn: Connection, shown: Sequence[Disclosure], how: How, now: datetime) -> None:
    """Store disclosures, each once per referral, partner and set of fields: the first time counts."""
    rows = [
        {
            "referral_id": each.referral_id,
            "partner": each.partner,
            "fields": " ".join(sorted(each.disclosed.shown)),
            "reference": each.reference,
            "ref": each.ref,
            "withheld": each.disclosed.withheld,
            "how": how,
            "at": now,
        }
        for each in shown
    ]
    if rows:
        conn.execute(insert(disclosures).on_conflict_do_nothing(), rows)


def of_person(conn: Connection, ref: UUID) -> list[dict[str, Any]]:
    """Every disclosure of a person, oldest first."""
    c = disclosures.c
    chosen = select(c.partner, c.reference, c.how, c.at, c.fields, c.withheld)
    rows = conn.execute(chosen.where(c.ref == ref).order_by(c.at, c.referral_id))
    return [row._asdict() | {"attributes": row.fields.split()} for row in rows]
