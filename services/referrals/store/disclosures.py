"""Who was shown which field of a person, when and by which referral, and what was withheld: written as it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import Connection

from jalons.database import execute, given
from services.referrals.domain.agreement import Disclosed

How = Literal["sent", "read"]


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One partner was shown these fields by a referral."""

    referral_id: UUID
    reference: str
    ref: UUID
    partner: str
    disclosed: Disclosed


def record(conn: Connection, shown: Sequence[Disclosure], how: How, now: datetime) -> None:
    """Once for each partner, referral and set of fields; the first time counts."""
    if not shown:
        return
    rows = [
        (d.referral_id, d.partner, " ".join(sorted(d.disclosed.shown)), d.reference, d.ref, Jsonb(d.disclosed.withheld))
        for d in shown
    ]
    source, values = given("uuid text text text uuid jsonb", rows)
    execute(
        conn,
        "INSERT INTO disclosures (referral_id, partner, fields, reference, ref, withheld, how, at)"
        f" SELECT k.*, %s, %s FROM {source} AS k ON CONFLICT DO NOTHING",
        (how, now, *values),
    )


def of_person(conn: Connection, ref: UUID) -> list[dict[str, Any]]:
    """Who received which field, oldest first."""
    rows = execute(
        conn,
        "SELECT partner, reference, how, at, fields, withheld FROM disclosures WHERE ref = %s ORDER BY at, referral_id",
        (ref,),
    )
    return [row._asdict() | {"attributes": row.fields.split()} for row in rows]
