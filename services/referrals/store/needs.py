"""Needs as rows; those of a person go when the person is erased."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from jalons.database import execute
from jalons.privacy.audit import Line, note
from services.referrals.domain.needs import Need

_NAMES = tuple(field.name for field in fields(Need))
_COLUMNS = ", ".join(f'"{name}"' for name in _NAMES)
_MAY_READ = "(said_by = %(partner)s OR home = %(partner)s OR (ref IS NULL AND NOT trial))"
"""What one said, what is said of one's persons, and what is said of nobody."""


def add(conn: Connection, need: Need, recorded: datetime) -> None:
    """Keep one."""
    values = [getattr(need, name) for name in _NAMES]
    slots = ", ".join(["%s"] * (len(values) + 1))
    execute(conn, f"INSERT INTO needs ({_COLUMNS}, recorded) VALUES ({slots})", (*values, recorded))


def find(conn: Connection, need_id: UUID, partner: str) -> Need | None:
    """One that a partner may read."""
    asked = {"partner": partner, "need_id": need_id}
    row = execute(conn, f"SELECT {_COLUMNS} FROM needs WHERE need_id = %(need_id)s AND {_MAY_READ}", asked).fetchone()
    return _need(conn, row) if row else None


def page(conn: Connection, partner: str, ref: UUID | None, before: UUID, limit: int) -> Sequence[Need]:
    """A page of those that a partner may read, newest first. ref: of this person only."""
    rows = execute(
        conn,
        f"SELECT {_COLUMNS} FROM needs WHERE {_MAY_READ} AND need_id < %(before)s"
        " AND (%(ref)s::uuid IS NULL OR ref = %(ref)s) ORDER BY need_id DESC LIMIT %(limit)s",
        {"partner": partner, "ref": ref, "before": before, "limit": limit},
    )
    return [_need(conn, row) for row in rows]


def _need(conn: Connection, row: Any) -> Need:
    """A row as a need; one of a person is told to the audit."""
    need = Need(*row)
    if need.ref is not None:
        note(conn, Line(str(need.ref), "need", thing=need.need_id))
    return need
