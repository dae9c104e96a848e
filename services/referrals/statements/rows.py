"""Stores what partners state beside the acts: a need or an activity is read by its author and the home partner only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Row, Select, Table, insert, or_, select

from jalons.privacy.audit import AuditLine, note
from services.referrals.activities.rules import Activity
from services.referrals.needs.rules import Need

S = TypeVar("S", Need, Activity)


@dataclass(frozen=True)
class Statements(Generic[S]):
    """The repository of one kind of statement. Each one read about a person is noted for the audit."""

    table: Table
    kind: type[S]

    @property
    def noun(self) -> str:
        """What one is called: `need` or `activity`."""
        return self.kind.__name__.lower()

    @property
    def key(self) -> str:
        """The name of the id's column."""
        return f"{self.noun}_id"

    def add(self, conn: Connection, statement: S, recorded: datetime) -> None:
        """Store a new statement."""
        conn.execute(insert(self.table).values({**asdict(statement), "recorded": recorded}))

    def find(self, conn: Connection, statement_id: UUID, partner: str) -> S | None:
        """A statement that a partner made, or that is about its own person."""
        row = conn.execute(self._readable(partner).where(self.table.c[self.key] == statement_id)).one_or_none()
        return self._read(conn, row) if row else None

    def page(self, conn: Connection, partner: str, ref: UUID | None, before: UUID, limit: int) -> Sequence[S]:
        """A page of the statements a partner may read, newest first. ref: about this person only."""
        key = self.table.c[self.key]
        statement = self._readable(partner).where(key < before).order_by(key.desc()).limit(limit)
        if ref is not None:
            statement = statement.where(self.table.c.ref == ref)
        return [self._read(conn, row) for row in conn.execute(statement)]

    def _readable(self, partner: str) -> Select[Any]:
        c = self.table.c
        chosen = select(*(c[field.name] for field in fields(self.kind)))
        return chosen.where(or_(c.said_by == partner, c.home == partner))

    def _read(self, conn: Connection, row: Row[Any]) -> S:
        statement = self.kind(**row._asdict())
        if statement.ref is not None:
            note(conn, AuditLine(str(statement.ref), self.noun, thing=getattr(statement, self.key)))
        return statement
