"""Slips by the hash of their private code. The slip of an erased person opens nothing."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from services.referrals.tables import person_keys, referrals, slips


def keep(conn: Connection, code_hash: bytes, referral_id: UUID, now: datetime) -> None:
    """Record that a slip was printed. Printing it again changes nothing."""
    new = insert(slips).values(code_hash=code_hash, referral_id=referral_id, printed=now)
    conn.execute(new.on_conflict_do_nothing())


def referral_of(conn: Connection, code_hash: bytes) -> UUID | None:
    """The id of the referral that a code opens."""
    found: UUID | None = conn.execute(
        select(slips.c.referral_id)
        .join(referrals, referrals.c.id == slips.c.referral_id)
        .join(person_keys, person_keys.c.ref == referrals.c.ref)
        .where(slips.c.code_hash == code_hash, person_keys.c.wrapped.is_not(None))
    ).scalar()
    return found
