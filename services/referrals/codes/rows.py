"""The network's own codes, each under one of a closed list."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from jalons.database import execute


def parent(conn: Connection, list_: str, code: str) -> str | None:
    """Under which code of its list it hangs; None for one that nobody made."""
    row = execute(conn, "SELECT parent FROM finer_codes WHERE list = %s AND code = %s", (list_, code)).fetchone()
    return row.parent if row else None


def known(conn: Connection) -> list[dict[str, Any]]:
    """Every one, by list and code."""
    return [row._asdict() for row in execute(conn, "SELECT * FROM finer_codes ORDER BY list, code")]


def put(conn: Connection, list_: str, code: str, parent: str, label: str) -> None:
    """Add one, or say it in another way."""
    execute(
        conn,
        "INSERT INTO finer_codes (list, code, parent, label) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (list, code) DO UPDATE SET label = excluded.label",
        (list_, code, parent, label),
    )
