"""How an agreement ends, and who holds something of a person under it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import Connection

from jalons.database import execute
from services.referrals.agreements.rules import Consent, Holder
from services.referrals.persons.rows import as_consent

Ending = Literal["withdrawn", "expired"]


@dataclass(frozen=True, slots=True)
class Kept:
    """An agreement as it is kept. standing: neither withdrawn nor said to have expired."""

    consent_id: UUID
    ref: UUID
    consent: Consent
    standing: bool


def found(conn: Connection, consent_id: UUID) -> Kept | None:
    """One agreement."""
    row = execute(conn, "SELECT * FROM consents WHERE consent_id = %s", (consent_id,)).fetchone()
    if row is None:
        return None
    return Kept(row.consent_id, row.ref, as_consent(row), row.withdrawn is None and row.expired is None)


def end(conn: Connection, consent_id: UUID, how: Ending, now: datetime, replaced_by: UUID | None = None) -> None:
    """It stands no more."""
    execute(
        conn,
        f"UPDATE consents SET {how} = %s, replaced_by = %s WHERE consent_id = %s",
        (now, replaced_by, consent_id),
    )


_HOLD = """
SELECT recipient AS partner, referrer AS contact, reference, id, facts->>'recipient_kind' = 'employer' AS employer,
    facts FROM referrals WHERE ref = %(ref)s
UNION ALL SELECT referrer, home, reference, id, false, facts FROM referrals WHERE ref = %(ref)s
UNION ALL SELECT operator, home, reference, id, false, facts FROM trainings WHERE ref = %(ref)s
UNION ALL SELECT employer, proposer, reference, id, true, facts FROM placements WHERE ref = %(ref)s
UNION ALL SELECT proposer, home, reference, id, false, facts FROM placements WHERE ref = %(ref)s
"""


def holders(conn: Connection, ref: UUID, home: str) -> tuple[list[Holder], bool]:
    """The partners other than the home one that hold something of a person; and whether these are trial records."""
    rows = execute(
        conn,
        "SELECT partner, array_agg(reference ORDER BY id) AS refs, (array_agg(contact ORDER BY id DESC))[1] AS contact,"
        " bool_or(employer) AS employer, bool_or(coalesce((facts->>'trial')::boolean, false)) AS trial"
        f" FROM ({_HOLD}) held WHERE partner <> %(home)s GROUP BY partner ORDER BY partner",
        {"ref": ref, "home": home},
    ).fetchall()
    return [Holder(r.partner, r.contact, tuple(r.refs), r.employer) for r in rows], any(r.trial for r in rows)


def standing(conn: Connection, refs: Collection[UUID]) -> dict[UUID, list[Consent]]:
    """The standing agreements of these persons."""
    rows = execute(
        conn,
        "SELECT * FROM consents WHERE ref = ANY(%s) AND withdrawn IS NULL AND expired IS NULL",
        (sorted(refs),),
    )
    found: dict[UUID, list[Consent]] = {ref: [] for ref in refs}
    for row in rows:
        found[row.ref].append(as_consent(row))
    return found
