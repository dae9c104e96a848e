"""Which referral a slip's private code opens; a person whose key was destroyed has none any more."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from jalons.database import execute


def keep(conn: Connection, code_hash: bytes, referral_id: UUID, now: datetime) -> None:
    """The slip was printed; again is nothing new."""
    execute(
        conn,
        "INSERT INTO slips (code_hash, referral_id, printed) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        (code_hash, referral_id, now),
    )


def referral_of(conn: Connection, code_hash: bytes) -> UUID | None:
    """The referral that a code opens."""
    row = execute(
        conn,
        "SELECT s.referral_id FROM slips s JOIN referrals r ON r.id = s.referral_id"
        " JOIN person_keys k ON k.ref = r.ref WHERE s.code_hash = %s AND k.wrapped IS NOT NULL",
        (code_hash,),
    ).fetchone()
    return row.referral_id if row else None
