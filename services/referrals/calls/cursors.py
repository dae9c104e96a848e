"""A list is ordered by its column `added`; its cursor is the id of a page's last row, which must be in that list.

A cursor from another list would tell which of two rows was added first, and so join what two partners know.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Table, select


class UnknownCursor(Exception):
    """The cursor is of no row of this list."""


def place(conn: Connection, table: Table, key: Column[Any], cursor: object, *listed: ColumnElement[bool]) -> int:
    """The place of a list's row in the order of adding. listed: the conditions of the list. Raises UnknownCursor."""
    found: int | None = conn.scalar(select(table.c.added).where(key == cursor, *listed))
    if found is None:
        raise UnknownCursor
    return found
