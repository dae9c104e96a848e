"""Statements on counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, Connection, and_, case, cast, func, or_, select, true
from sqlalchemy.dialects.postgresql import insert

from services.observation.counts.rules import DIMENSIONS, Cell
from services.observation.tables import counts

_ADD = insert(counts)
_ADD = _ADD.on_conflict_do_update(index_elements=list(counts.primary_key), set_={"n": counts.c.n + _ADD.excluded.n})


def add_counts(conn: Connection, added: Mapping[Cell, int]) -> None:
    """Add to cells, or take off where the number is negative. Cells are written in the order of their keys, so that
    two writers cannot deadlock."""
    if added:
        conn.execute(_ADD, [{**cell._asdict(), "n": added[cell]} for cell in sorted(added)])


def totals(
    conn: Connection, measure: str, by: Sequence[str], first: str | None, last: str | None, reader: str | None
) -> list[dict[str, Any]]:
    """A measure's counts from month `first` to month `last`, grouped and ordered by dimensions: each group's values
    and its `n`.

    reader: a partner, which counts its own persons and what it was party to, and sees no other home than itself; None
    counts everything. Without dimensions there is one group, even if it is 0; else only groups that are not 0.
    """
    visible = or_(counts.c.home == reader, counts.c.partner == reader) if reader else true()
    home = case((counts.c.home == reader, counts.c.home)) if reader else counts.c.home
    seen = (
        select(*(home.label("home") if name == "home" else counts.c[name] for name in DIMENSIONS), counts.c.n)
        .where(
            and_(counts.c.measure == measure, counts.c.month.between(first or "0000-00", last or "9999-99"), visible)
        )
        .subquery()
    )
    keys = [seen.c[name] for name in by]
    total = func.sum(seen.c.n)
    statement = select(*keys, cast(func.coalesce(total, 0), BigInteger).label("n"))
    if keys:
        statement = statement.group_by(*keys).having(total != 0).order_by(*keys)
    return [dict(row._mapping) for row in conn.execute(statement)]
