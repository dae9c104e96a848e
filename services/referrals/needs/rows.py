"""Stores needs; those of a person are deleted when the person is erased."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, delete

from services.referrals import tables
from services.referrals.needs.rules import Need
from services.referrals.statements.rows import Statements

NEEDS = Statements(tables.needs, Need)


def take_back(conn: Connection, referral_id: UUID) -> None:
    """Delete the need that the decline of a referral showed, if it did."""
    conn.execute(delete(tables.needs).where(tables.needs.c.referral_id == referral_id))
