"""Stores what partners state beside the acts: a need or an activity is read by its author and the home partner only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, insert, or_, select

from jalons.privacy.audit import AuditLine, note
from services.referrals.activities.rules import Activity
from services.referrals.calls.cursors import place
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

    def page(
        self,
        conn: Connection,
        partner: str,
        ref: UUID | None,
        before: UUID | None,
        limit: int,
        only: ColumnElement[bool] | None = None,
    ) -> Sequence[S]:
        """A page of the statements a partner may read, newest first. ref: about this person only. before: the last id
        of the previous page. only: those that meet a condition. Raises UnknownCursor."""
        c = self.table.c
        statement = self._readable(partner).order_by(c.added.desc()).limit(limit)
        if before is not None:
            statement = statement.where(c.added < place(conn, self.table, c[self.key], before, self._may_read(partner)))
        if ref is not None:
            statement = statement.where(c.ref == ref)
        if only is not None:
            statement = statement.where(only)
        return [self._read(conn, row) for row in conn.execute(statement)]

    def _readable(self, partner: str) -> Select[Any]:
        return select(*(self.table.c[field.name] for field in fields(self.kind))).where(self._may_read(partner))

    def _may_read(self, partner: str) -> ColumnElement[bool]:
        return or_(self.table.c.said_by == partner, self.table.c.home == partner)

    def _read(self, conn: Connection, row: Row[Any]) -> S:
        statement = self.kind(**row._asdict())
        if statement.ref is not None:
            note(conn, AuditLine(str(statement.ref), self.noun, thing=getattr(statement, self.key)))
        return statement
