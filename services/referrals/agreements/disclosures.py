"""Who was shown which field of a person, when and by which referral, and what was withheld: written as it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import Connection

from jalons.database import execute
from jalons.inserts import Inserts, Into
from services.referrals.agreements.rules import Disclosed

How = Literal["sent", "read"]

DISCLOSURES = Into(
    "disclosures",
    "referral_id uuid, partner text, fields text, reference text, ref uuid, withheld jsonb, how text, at timestamptz",
    "ON CONFLICT DO NOTHING",
)


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One partner was shown these fields by a referral."""

    referral_id: UUID
    reference: str
    ref: UUID
    partner: str
    disclosed: Disclosed


def gather(rows: Inserts, shown: Sequence[Disclosure], how: How, now: datetime) -> None:
    """Once for each partner, referral and set of fields; the first time counts."""
    for d in shown:
        fields, withheld = " ".join(sorted(d.disclosed.shown)), Jsonb(d.disclosed.withheld)
        rows.add(DISCLOSURES, (d.referral_id, d.partner, fields, d.reference, d.ref, withheld, how, now))


def record(conn: Connection, shown: Sequence[Disclosure], how: How, now: datetime) -> None:
    """As `gather`, and written."""
    rows = Inserts()
    gather(rows, shown, how, now)
    rows.write(conn)


def of_person(conn: Connection, ref: UUID) -> list[dict[str, Any]]:
    """Who received which field, oldest first."""
    rows = execute(
        conn,
        "SELECT partner, reference, how, at, fields, withheld FROM disclosures WHERE ref = %s ORDER BY at, referral_id",
        (ref,),
    )
    return [row._asdict() | {"attributes": row.fields.split()} for row in rows]
