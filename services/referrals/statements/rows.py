"""What partners say beside the acts, needs and activities, as rows; those of a person go when the person is erased."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import Connection

from jalons.database import execute
from jalons.privacy.audit import Line, note
from services.referrals.activities.rules import Activity
from services.referrals.needs.rules import Need

S = TypeVar("S", Need, Activity)

_MAY_READ = "(said_by = %(partner)s OR home = %(partner)s)"
"""What one said, and what is said of one's persons."""


@dataclass(frozen=True)
class Statements(Generic[S]):
    """One of the two tables. key: the column of its id."""

    table: str
    kind: type[S]
    key: str

    @property
    def noun(self) -> str:
        """What one is called."""
        return self.kind.__name__.lower()

    @property
    def _columns(self) -> str:
        return ", ".join(f'"{field.name}"' for field in fields(self.kind))

    def add(self, conn: Connection, said: S, recorded: datetime) -> None:
        """Keep one."""
        values: list[Any] = [getattr(said, field.name) for field in fields(self.kind)]
        slots = ", ".join(["%s"] * (len(values) + 1))
        execute(conn, f"INSERT INTO {self.table} ({self._columns}, recorded) VALUES ({slots})", (*values, recorded))

    def find(self, conn: Connection, its_id: UUID, partner: str) -> S | None:
        """One that a partner said, or that is of its person."""
        row = execute(
            conn,
            f"SELECT {self._columns} FROM {self.table} WHERE {self.key} = %(id)s AND {_MAY_READ}",
            {"id": its_id, "partner": partner},
        ).fetchone()
        return self._read(conn, row) if row else None

    def page(self, conn: Connection, partner: str, ref: UUID | None, before: UUID, limit: int) -> Sequence[S]:
        """A page of those a partner said or that are of its persons, newest first. ref: of this person only."""
        rows = execute(
            conn,
            f"SELECT {self._columns} FROM {self.table} WHERE {_MAY_READ} AND {self.key} < %(before)s"
            f" AND (%(ref)s::uuid IS NULL OR ref = %(ref)s) ORDER BY {self.key} DESC LIMIT %(limit)s",
            {"partner": partner, "ref": ref, "before": before, "limit": limit},
        )
        return [self._read(conn, row) for row in rows]

    def _read(self, conn: Connection, row: Any) -> S:
        """A row as what was said; of a person it is told to the audit."""
        said = self.kind(*row)
        if said.ref is not None:
            note(conn, Line(str(said.ref), self.noun, thing=getattr(said, self.key)))
        return said


NEEDS = Statements("needs", Need, "need_id")
ACTIVITIES = Statements("activities", Activity, "activity_id")
