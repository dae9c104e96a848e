"""The network's own finer codes, each under one code of a closed list."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from services.referrals.tables import finer_codes


def parent(conn: Connection, list_: str, code: str) -> str | None:
    """The code of the closed list that a finer code belongs to; None if there is no such finer code."""
    found: str | None = conn.execute(
        select(finer_codes.c.parent).where(finer_codes.c.list == list_, finer_codes.c.code == code)
    ).scalar()
    return found


def every(conn: Connection) -> list[dict[str, Any]]:
    """All finer codes, ordered by list and code."""
    rows = conn.execute(select(finer_codes).order_by(finer_codes.c.list, finer_codes.c.code)).mappings()
    return [dict(row) for row in rows]


def put(conn: Connection, list_: str, code: str, parent: str, label: str) -> None:
    """Add a finer code, or change the label of an existing one."""
    new = insert(finer_codes).values(list=list_, code=code, parent=parent, label=label)
    conn.execute(new.on_conflict_do_update(index_elements=["list", "code"], set_={"label": new.excluded.label}))
