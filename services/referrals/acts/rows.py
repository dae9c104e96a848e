"""Stores referrals, trainings and placements: a table each, columns to find them by, and the rest as facts (JSON)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, insert, select, update

from jalons.database import unique_errors
from jalons.privacy.audit import AuditLine, note
from services.referrals import tables
from services.referrals.acts.rules import NOT_STORED, Act, Placement, Referral, Training
from services.referrals.calls.cursors import place

S = TypeVar("S", bound=Act)


class AlreadyOpen(Exception):
    """The person has a like referral that has not started. reference: of that one; None if it was made just now."""

    def __init__(self, reference: str | None = None) -> None:
        super().__init__(reference)
        self.reference = reference


class Erased(Exception):
    """The person was erased: the act keeps its status, and no further step is possible."""


_UNIQUE = {"referrals_one_open": AlreadyOpen}


@dataclass(frozen=True)
class Acts(Generic[S]):
    """The repository of one of the three kinds. Every act it reads is noted for the audit."""

    table: Table
    kind: type[S]

    @property
    def noun(self) -> str:
        """What one is called in English: `referral`, `training` or `placement`."""
        return self.kind.__name__.lower()

    def add(self, conn: Connection, state: S, now: datetime) -> None:
        """Store a new act. Raises AlreadyOpen."""
        values = {name: getattr(state, name) for name in self._names}
        with unique_errors(_UNIQUE):
            conn.execute(insert(self.table).values({**values, "facts": dict(state.facts), "changed": now}))

    def save(self, conn: Connection, state: S, now: datetime) -> None:
        """Update a stored act. Raises AlreadyOpen."""
        changed = {"status": state.status, "version": state.version, "facts": dict(state.facts), "changed": now}
        with unique_errors(_UNIQUE):
            conn.execute(update(self.table).where(self.table.c.id == state.id).values(changed))

    def find(self, conn: Connection, named: UUID | str, *, lock: bool = False) -> S | None:
        """An act by its id or its spoken reference. lock: lock the person's row, then the act's, as every writer does.

        Raises Erased if a lock is asked for and the person was erased.
        """
        c = self.table.c
        named_so = c.id == named if isinstance(named, UUID) else c.reference == named
        person = self._lock_person(conn, named_so) if lock else None
        statement = self._select().where(named_so)
        row = conn.execute(statement.with_for_update() if lock else statement).one_or_none()
        if row and lock and person is None:
            raise Erased
        return self._read(conn, row) if row else None

    def of_person(self, conn: Connection, ref: UUID, *, lock: bool = True) -> list[S]:
        """All acts of a person, oldest first. lock: lock them; the caller has locked the person."""
        statement = self._select().where(self.table.c.ref == ref).order_by(self.table.c.added)
        return self._all(conn, conn.execute(statement.with_for_update() if lock else statement))

    def like(self, conn: Connection, ref: UUID, recipient: str, moment: str, offer: str | None) -> list[Row[Any]]:
        """A person's referrals to a recipient for a moment and an offer or none, oldest first: id, reference, status
        and alternative_to. An offer is one, whatever its moment was."""
        c = self.table.c
        to = c.offer == offer if offer else c.offer.is_(None) & (c.recipient == recipient) & (c.moment == moment)
        linked = c.facts["alternative_to"].astext.label("alternative_to")
        found = select(c.id, c.reference, c.status, linked).where(c.ref == ref, to).order_by(c.added)
        return list(conn.execute(found))

    def page(
        self, conn: Connection, role: str, partner: str, *, status: str | None, before: UUID | None, limit: int
    ) -> list[S]:
        """A page of the acts in which a partner has a role, newest first. before: the last id of the previous page.

        Raises UnknownCursor.
        """
        statement = self._newest(conn, role, partner, before, limit)
        if status is not None:
            statement = statement.where(self.table.c.status == status)
        return self._all(conn, conn.execute(statement))

    def changed_page(
        self, conn: Connection, role: str, partner: str, *, since: datetime | None, before: UUID | None, limit: int
    ) -> list[tuple[S, datetime]]:
        """As `page`, of the acts changed since an instant, each with the instant of its last change."""
        statement = self._newest(conn, role, partner, before, limit).add_columns(self.table.c.changed)
        if since is not None:
            statement = statement.where(self.table.c.changed >= since)
        return [(self._read(conn, row), row.changed) for row in conn.execute(statement)]

    @property
    def _names(self) -> list[str]:
        return [field.name for field in fields(self.kind) if field.metadata != NOT_STORED]

    def _select(self) -> Select[Any]:
        return select(*(self.table.c[name] for name in self._names))

    def _newest(self, conn: Connection, role: str, partner: str, before: UUID | None, limit: int) -> Select[Any]:
        c = self.table.c
        own = c[role] == partner
        chosen = self._select().where(own).order_by(c.added.desc()).limit(limit)
        return chosen if before is None else chosen.where(c.added < place(conn, self.table, c.id, before, own))

    def _lock_person(self, conn: Connection, condition: ColumnElement[bool]) -> Row[Any] | None:
        persons = tables.beneficiaries
        ref = select(self.table.c.ref).where(condition).scalar_subquery()
        return conn.execute(select(persons.c.ref).where(persons.c.ref == ref).with_for_update()).one_or_none()

    def _all(self, conn: Connection, rows: Iterable[Row[Any]]) -> list[S]:
        return [self._read(conn, row) for row in rows]

    def _read(self, conn: Connection, row: Row[Any]) -> S:
        state = self.kind(**{name: getattr(row, name) for name in self._names})
        note(conn, AuditLine(str(state.ref), self.noun, thing=state.id, reference=state.reference))
        return state


REFERRALS = Acts(tables.referrals, Referral)
TRAININGS = Acts(tables.trainings, Training)
PLACEMENTS = Acts(tables.placements, Placement)
