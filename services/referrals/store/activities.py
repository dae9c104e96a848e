"""Activities as rows; they go when the person is erased."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from jalons.database import execute
from jalons.privacy.audit import Line, note
from services.referrals.domain.activities import Activity

_NAMES = tuple(field.name for field in fields(Activity))
_COLUMNS = ", ".join(f'"{name}"' for name in _NAMES)
_MAY_READ = "(said_by = %(partner)s OR home = %(partner)s)"


def add(conn: Connection, activity: Activity, recorded: datetime) -> None:
    """Keep one."""
    values = [getattr(activity, name) for name in _NAMES]
    slots = ", ".join(["%s"] * (len(values) + 1))
    execute(conn, f"INSERT INTO activities ({_COLUMNS}, recorded) VALUES ({slots})", (*values, recorded))


def find(conn: Connection, activity_id: UUID, partner: str) -> Activity | None:
    """One that a partner said, or that is of its person."""
    row = execute(
        conn,
        f"SELECT {_COLUMNS} FROM activities WHERE activity_id = %(id)s AND {_MAY_READ}",
        {"id": activity_id, "partner": partner},
    ).fetchone()
    return _activity(conn, row) if row else None


def page(conn: Connection, partner: str, ref: UUID | None, before: UUID, limit: int) -> Sequence[Activity]:
    """A page of those a partner said or that are of its persons, newest first. ref: of this person only."""
    rows = execute(
        conn,
        f"SELECT {_COLUMNS} FROM activities WHERE {_MAY_READ} AND activity_id < %(before)s"
        " AND (%(ref)s::uuid IS NULL OR ref = %(ref)s) ORDER BY activity_id DESC LIMIT %(limit)s",
        {"partner": partner, "ref": ref, "before": before, "limit": limit},
    )
    return [_activity(conn, row) for row in rows]


def _activity(conn: Connection, row: Any) -> Activity:
    """A row as an activity, told to the audit."""
    activity = Activity(*row)
    note(conn, Line(str(activity.ref), "activity", thing=activity.activity_id))
    return activity
