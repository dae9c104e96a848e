"""`GET /counts`: exact over what the caller may see one by one; of the rest, nothing until periods are closed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, Engine

from jalons import clock
from jalons.database import execute, transaction
from jalons.privacy.disclosure import sees
from jalons.privacy.visibility import Role
from jalons.web.identity import Principal, require
from jalons.web.problems import Problem
from services.observation.counts.rules import DIMENSIONS, MEASURES

Caller = Annotated[Principal, Depends(require("partner", "coordinator", "read:counts"))]
Month = Annotated[str | None, Query(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$")]
Scope = Literal["own", "network"]

HIDDEN = "–"
_STREAMED = frozenset(measure.name for kind, measure in MEASURES.items() if sees(kind, "type", Role.COORDINATOR))
"""What the coordinator may count exactly: what her stream shows one by one."""
NAMES = tuple(measure.name for measure in MEASURES.values())
MOST_MONTHS = 120


class Cell(BaseModel):
    """One cell: the dimensions asked for, and `n`, or null where it is hidden."""

    model_config = ConfigDict(extra="allow")

    n: int | None
    shown: str


class Counts(BaseModel):
    """A table of one measure. `total` is null where it is hidden."""

    measure: str
    by: list[str]
    scope: Scope
    cells: list[Cell]
    total: int | None


def count_routes(engine: Engine) -> APIRouter:
    """The table, and what may be asked."""
    routes = APIRouter(tags=["counts"])

    @routes.get("/counts", summary="One measure, by month, home, partner or moment", response_model=Counts)
    def counts(
        caller: Caller,
        measure: Annotated[str, Query(max_length=100)],
        by: Annotated[str, Query(max_length=100, description="dimensions, by comma")] = "",
        from_: Annotated[Month, Query(alias="from", description="the first month, YYYY-MM")] = None,
        to: Annotated[Month, Query(description="the last month, YYYY-MM")] = None,
        scope: Scope | None = None,
    ) -> Counts:
        """`own` is exact and live: the coordinator's is the whole network (but for needs of persons, which she sees as
        the network does), a partner's its persons and what it was party to. A partner never learns the home of a person
        that is not its own: those cells have `home: null`. `network` is hidden until periods are closed."""
        if measure not in NAMES:
            raise _unknown("measure", measure=NAMES)
        dimensions = list(dict.fromkeys(name.strip() for name in by.split(",") if name.strip()))
        if not set(dimensions) <= set(DIMENSIONS):
            raise _unknown("dimension", dimension=DIMENSIONS)
        if from_ and to and from_ > to:
            raise _range("`from` is after `to`.")
        coordinates = caller.has("coordinator")
        own = measure in _STREAMED if coordinates else caller.partner is not None
        chosen: Scope = scope or ("own" if own else "network")
        if chosen == "network":
            cells = _hidden(dimensions, _months(from_, to))
            return Counts(measure=measure, by=dimensions, scope=chosen, cells=cells, total=None)
        if not own:
            raise Problem(
                403,
                "no_own_counts",
                "The stream does not show these one by one." if coordinates else "This client belongs to no partner.",
                "Ask with scope=network, or as a partner.",
            )
        reader = None if coordinates else caller.partner
        with transaction(engine) as conn:
            cells = _exact(conn, measure, dimensions, from_, to, reader)
        return Counts(
            measure=measure, by=dimensions, scope=chosen, cells=cells, total=sum(cell.n or 0 for cell in cells)
        )

    @routes.get("/counts/measures", summary="What may be counted, by what")
    def measures(_caller: Caller) -> dict[str, Any]:
        every = [
            {
                "name": each.name,
                "meaning": each.meaning,
                "dimensions": DIMENSIONS,
                "crosses": dict.fromkeys(DIMENSIONS, DIMENSIONS),
            }
            for each in MEASURES.values()
        ]
        return {"measures": every, "dimensions": DIMENSIONS, "scopes": ["own", "network"]}

    return routes


def _exact(
    conn: Connection, measure: str, by: Sequence[str], first: str | None, last: str | None, reader: str | None
) -> list[Cell]:
    """The cells a reader may know exactly; reader: None for the coordinator, who sees every line of the stream."""
    columns = [f"{_SEEN[name] if reader else name} AS {name}" for name in by]
    mine = "(home = %(reader)s OR partner = %(reader)s)" if reader else "true"
    keys = ", ".join(str(number) for number in range(1, len(by) + 1))
    rows = execute(
        conn,
        f"SELECT {', '.join([*columns, 'coalesce(sum(n), 0)::bigint AS n'])} FROM counts"  # noqa: S608 - names from DIMENSIONS
        f" WHERE measure = %(measure)s AND month BETWEEN %(first)s AND %(last)s AND {mine}"
        + (f" GROUP BY {keys} HAVING sum(n) <> 0 ORDER BY {keys}" if by else ""),
        {"measure": measure, "first": first or "0000-00", "last": last or "9999-99", "reader": reader},
    )
    return [_shown(row._asdict()) for row in rows]


_SEEN = {name: name for name in DIMENSIONS} | {"home": "CASE WHEN home = %(reader)s THEN home END"}
"""How a partner sees each dimension: the home of another's person it is never told."""


def _shown(row: dict[str, Any]) -> Cell:
    return Cell(**row, shown=str(row["n"]))


def _hidden(by: Sequence[str], months: Sequence[str]) -> list[Cell]:
    """As many cells as the question has months, whatever there is to count: their number tells nothing either."""
    if list(by) == ["month"]:
        return [Cell.model_validate({"month": month, "n": None, "shown": HIDDEN}) for month in months]
    return [Cell.model_validate(dict.fromkeys(by) | {"n": None, "shown": HIDDEN})]


def _months(first: str | None, last: str | None) -> list[str]:
    """The months asked for; a year up to the last, or to now, where none is said. Raises Problem 422 over ten years."""
    end = _ordinal(last or max(clock.month_of(clock.now()), first or ""))
    begin = _ordinal(first) if first else end - 11
    if end - begin >= MOST_MONTHS:
        raise _range(f"More than {MOST_MONTHS} months are asked for.")
    return [f"{number // 12:04}-{number % 12 + 1:02}" for number in range(begin, end + 1)]


def _ordinal(month: str) -> int:
    return int(month[:4]) * 12 + int(month[5:]) - 1


def _unknown(what: str, **known: Sequence[str]) -> Problem:
    return Problem(
        422,
        f"unknown_{what}",
        f"There is no such {what}.",
        f"Ask for one of: {', '.join(known[what])}; see GET /counts/measures.",
        known=list(known[what]),
    )


def _range(detail: str) -> Problem:
    return Problem(422, "bad_range", detail, "Ask for a shorter range of months, the first not after the last.")
