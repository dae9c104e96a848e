"""SQL as text, for tests that look into a schema or change it behind the services' back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row
from sqlalchemy import Connection

Values = Sequence[Any] | Mapping[str, Any]


def execute(conn: Connection, statement: str, values: Values = ()) -> psycopg.Cursor[Any]:
    """Run one statement in a connection's transaction; rows have their columns as attributes."""
    cursor = conn.connection.driver_connection.cursor(row_factory=namedtuple_row)  # type: ignore[union-attr]
    return cursor.execute(statement, values or None)  # type: ignore[no-any-return]


def one(conn: Connection, statement: str, values: Values = ()) -> Any:
    """The one row of a statement."""
    row = execute(conn, statement, values).fetchone()
    assert row is not None
    return row
