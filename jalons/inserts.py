"""Rows that a transaction adds to several tables are gathered, and written by one statement, in one round trip."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from psycopg import RawCursor
from psycopg.errors import UniqueViolation
from sqlalchemy import Connection

from jalons.database import FEW


@dataclass(frozen=True, eq=False)
class Into:
    """A table that rows are added to. columns: name and type of each, in the order of a row's values, as in
    "id uuid, partners text[]". there: what is done about a row that is there already, as in `ON CONFLICT …`.
    taken: unique index → what is raised where a row breaks it."""

    table: str
    columns: str
    there: str = ""
    taken: Mapping[str, type[Exception]] | None = None

    @property
    def kinds(self) -> list[tuple[str, str]]:
        """Name and type of each column."""
        return [(name, kind) for name, kind in (column.split() for column in self.columns.split(","))]


class Inserts:
    """What is to be written, in the order given within each table. The tables' own order is PostgreSQL's: no row may
    need another of the same statement, and nothing reads them before `write`."""

    def __init__(self) -> None:
        self._rows: dict[Into, list[Sequence[Any]]] = defaultdict(list)
        self._wakes: set[str] = set()

    def add(self, into: Into, *rows: Sequence[Any]) -> None:
        """Rows of a table, each with a value for every column; a list for one of an array's type."""
        if rows:
            self._rows[into] += rows

    def wake(self, channel: str) -> None:
        """Notify who listens, once this is committed."""
        self._wakes.add(channel)

    def write(self, conn: Connection) -> None:
        """All of it in one statement; nothing if there is nothing. Raises what `taken` says of a unique index."""
        gathered, self._rows = self._rows, defaultdict(list)
        wakes, self._wakes = tuple(sorted(self._wakes)), set()
        if not gathered and not wakes:
            return
        values: list[Any] = []
        shape = []
        for into, rows in gathered.items():
            few = len(rows) <= FEW
            shape.append((into, len(rows) if few else 0))
            sent = [_sent(into, row) for row in rows] if _arrays(into) else rows
            values += [value for row in sent for value in row] if few else map(list, zip(*sent, strict=True))
        cursor = RawCursor(conn.connection.driver_connection)  # type: ignore[arg-type]
        try:
            cursor.execute(_statement(tuple(shape), len(wakes)), [*values, *wakes])
        except UniqueViolation as error:
            raise _meant(gathered, error) from None


def _meant(gathered: Mapping[Into, object], error: UniqueViolation) -> Exception:
    for into in gathered:
        for index, kind in (into.taken or {}).items():
            if error.diag.constraint_name == index:
                return kind()
    return error


@cache
def _arrays(into: Into) -> frozenset[int]:
    """Where arrays stand in a row: they travel as text, since an array of arrays would be taken apart to the last."""
    return frozenset(at for at, (_, kind) in enumerate(into.kinds) if kind.endswith("[]"))


def _sent(into: Into, row: Sequence[Any]) -> list[Any]:
    return [_literal(value) if at in _arrays(into) else value for at, value in enumerate(row)]


def _literal(values: Sequence[str]) -> str:
    quoted = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in quoted) + "}"


@cache
def _statement(shape: tuple[tuple[Into, int], ...], wakes: int) -> bytes:
    """Each table's rows value by value while they are few, as arrays when there are many (number 0). In PostgreSQL's
    own placeholders: psycopg reads a text of so many anew each time."""
    number = iter(range(1, 1_000_000))
    parts = [_insert(into, rows, lambda: f"${next(number)}") for into, rows in shape]
    named = ", ".join(f"w{at} AS ({part})" for at, part in enumerate(parts))
    ends = ", ".join(f"pg_notify(${next(number)}, '')" for _ in range(wakes)) or "1"
    return f"WITH {named} SELECT {ends}".encode() if parts else f"SELECT {ends}".encode()


def _insert(into: Into, rows: int, slot: Callable[[], str]) -> str:
    names = ", ".join(name for name, _ in into.kinds)
    plain = [(name, "text" if kind.endswith("[]") else kind) for name, kind in into.kinds]
    if rows:
        lines = [", ".join(f"{slot()}::{kind}" for _, kind in plain) for _ in range(rows)]
        source = f"(VALUES ({'), ('.join(lines)}))"
    else:
        source = f"unnest({', '.join(f'{slot()}::{kind}[]' for _, kind in plain)})"
    taken = ", ".join(f"k.{name}::{kind}" if kind.endswith("[]") else f"k.{name}" for name, kind in into.kinds)
    return f"INSERT INTO {into.table} ({names}) SELECT {taken} FROM {source} AS k({names}) {into.there}"  # noqa: S608 - our names
