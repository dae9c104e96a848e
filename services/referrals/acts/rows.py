"""Referrals, trainings and placements: one table each, the same few columns to find them by, the rest as facts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Generic, TypeVar
from uuid import UUID

from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb
from sqlalchemy import Connection

from jalons.database import execute
from jalons.inserts import Inserts, Into
from jalons.privacy.audit import Line, note
from services.referrals.acts.rules import Act, Placement, Referral, Training

S = TypeVar("S", bound=Act)

_TYPES = {
    "id": "uuid",
    "ref": "uuid",
    "referral_id": "uuid",
    "version": "int",
    "facts": "jsonb",
    "changed": "timestamptz",
}
_ONE_OPEN = "referrals_one_open"


class AlreadyOpen(Exception):
    """The person has an open referral to the same offer."""


class Erased(Exception):
    """The person it was about has been erased: its state stays, and nothing more happens to it."""


@dataclass(frozen=True)
class Acts(Generic[S]):
    """One of the three tables. columns: beside id, reference, ref, home, status, version and facts."""

    table: str
    kind: type[S]
    columns: tuple[str, ...]

    @property
    def _all(self) -> tuple[str, ...]:
        return ("id", "reference", "ref", "home", "status", "version", "facts", *self.columns)

    @cached_property
    def _into(self) -> Into:
        columns = ", ".join(f"{name} {_TYPES.get(name, 'text')}" for name in (*self._all, "changed"))
        return Into(self.table, columns, taken={_ONE_OPEN: AlreadyOpen})

    def add(self, rows: Inserts, state: S, now: datetime) -> None:
        """A new one, found once the rows are written."""
        rows.add(self._into, (*self._values(state), now))

    def save(self, conn: Connection, state: S, now: datetime) -> None:
        """Write a state back. Raises AlreadyOpen."""
        with _one_open():
            execute(
                conn,
                f"UPDATE {self.table} SET status = %s, version = %s, facts = %s, changed = %s WHERE id = %s",
                (state.status, state.version, Jsonb(dict(state.facts)), now, state.id),
            )

    def find(self, conn: Connection, named: UUID | str, *, lock: bool = False) -> S | None:
        """By id or spoken reference. lock: the person's row first, then its own, as every writer does.

        Raises Erased where a lock is asked for and there is no person any more.
        """
        column = "id" if isinstance(named, UUID) else "reference"
        chosen = ", ".join(f"t.{name}" for name in self._all)
        person = None
        if lock:
            person = execute(
                conn,
                "SELECT 1 FROM beneficiaries WHERE ref ="
                f" (SELECT ref FROM {self.table} WHERE {column} = %s) FOR UPDATE",
                (named,),
            ).fetchone()
        row = execute(
            conn,
            f"SELECT {chosen} FROM {self.table} t WHERE t.{column} = %s" + (" FOR UPDATE" if lock else ""),
            (named,),
        ).fetchone()
        if row and lock and person is None:
            raise Erased
        return self._read(conn, row) if row else None

    def of_person(self, conn: Connection, ref: UUID, *, lock: bool = True) -> list[S]:
        """All of a person, oldest first. lock: them too, by a caller who holds the person."""
        chosen, held = ", ".join(self._all), " FOR UPDATE" if lock else ""
        rows = execute(conn, f"SELECT {chosen} FROM {self.table} WHERE ref = %s ORDER BY id{held}", (ref,))
        return [self._read(conn, row) for row in rows]

    def page(
        self, conn: Connection, party: str, partner: str, *, status: str | None, before: UUID, limit: int
    ) -> list[S]:
        """A page of those in which a partner has a role, newest first."""
        chosen = ", ".join(self._all)
        rows = execute(
            conn,
            f"SELECT {chosen} FROM {self.table} WHERE {party} = %s AND id < %s"
            " AND (%s::text IS NULL OR status = %s) ORDER BY id DESC LIMIT %s",
            (partner, before, status, status, limit),
        )
        return [self._read(conn, row) for row in rows]

    def changed_page(
        self, conn: Connection, party: str, partner: str, *, since: datetime | None, before: UUID, limit: int
    ) -> list[tuple[S, datetime]]:
        """As `page`, of those that changed since then; each with when it did last."""
        chosen = ", ".join(self._all)
        rows = execute(
            conn,
            f"SELECT changed, {chosen} FROM {self.table} WHERE {party} = %s AND id < %s"
            " AND changed >= coalesce(%s, '-infinity'::timestamptz) ORDER BY id DESC LIMIT %s",
            (partner, before, since, limit),
        )
        return [(self._read(conn, row, but="changed"), row.changed) for row in rows]

    def _read(self, conn: Connection, row: Any, but: str = "") -> S:
        """A row as its state, told to the audit. but: a column that is not of the state."""
        state = self.kind(**{name: value for name, value in row._asdict().items() if name != but})
        note(conn, Line(str(state.ref), self.kind.__name__.lower(), thing=state.id, reference=state.reference))
        return state

    def _values(self, state: S) -> tuple[Any, ...]:
        values = {name: getattr(state, name) for name in self._all}
        return tuple(Jsonb(dict(value)) if name == "facts" else value for name, value in values.items())


@contextmanager
def _one_open() -> Iterator[None]:
    try:
        yield
    except UniqueViolation as error:
        if error.diag.constraint_name == _ONE_OPEN:
            raise AlreadyOpen from None
        raise


REFERRALS = Acts("referrals", Referral, ("referrer", "recipient", "moment", "offer"))
TRAININGS = Acts("trainings", Training, ("operator", "moment", "referral_id"))
PLACEMENTS = Acts("placements", Placement, ("proposer", "employer", "referral_id"))
