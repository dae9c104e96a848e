"""Keeps what the operator was told last: one row."""

from __future__ import annotations

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from services.notifications.operator.rules import Told
from services.notifications.tables import operator_told

_ONE = 1


def read(conn: Connection) -> Told:
    """What the operator was told."""
    row = conn.execute(
        select(operator_told.c.degraded, operator_told.c.changing, operator_told.c.week).where(
            operator_told.c.one == _ONE
        )
    ).first()
    return Told(*row) if row else Told()


def save(conn: Connection, told: Told) -> None:
    """Remember it."""
    values = {"degraded": told.degraded, "changing": told.changing, "week": told.week}
    statement = insert(operator_told).values(one=_ONE, **values)
    conn.execute(statement.on_conflict_do_update(index_elements=[operator_told.c.one], set_=values))
