"""`GET /counts`: exact for what the caller may see one by one, hidden for the rest until periods are closed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Literal

from dateutil.relativedelta import relativedelta
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Engine
from typing_extensions import TypedDict

from jalons import clock
from jalons.database import transaction
from jalons.privacy.disclosure import sees
from jalons.privacy.visibility import Role
from jalons.web.answers import Answers
from jalons.web.identity import Principal, require
from jalons.web.problems import Problem
from services.observation.counts.rows import totals
from services.observation.counts.rules import DIMENSIONS, MEASURES

Caller = Annotated[Principal, Depends(require("partner", "coordinator", "read:counts"))]
Month = Annotated[str | None, Query(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$")]
Scope = Literal["own", "network"]

HIDDEN = "–"
_STREAMED = frozenset(measure.name for kind, measure in MEASURES.items() if sees(kind, "type", Role.COORDINATOR))
"""Measures the coordinator may count exactly: her stream shows each of these events."""
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


class MeasureInfo(TypedDict):
    """A measure, and by which dimensions it may be counted. crosses: dimension → those it may be crossed with."""

    name: str
    meaning: str
    dimensions: list[str]
    crosses: dict[str, list[str]]


class MeasureList(TypedDict):
    """What may be counted, by what, and for whom."""

    measures: list[MeasureInfo]
    dimensions: list[str]
    scopes: list[Scope]


ANSWERS: Answers = {("GET", "/counts/measures"): MeasureList}


def count_routes(engine: Engine) -> APIRouter:
    """The counts, and the measures and dimensions there are."""
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
        """`own` is exact and live. The coordinator's covers the whole network, except needs of persons, which she may
        only ask for with `network`. A partner's covers its own persons and what it was party to; the home of another
        partner's person is `null`. `network` is hidden until periods are closed."""
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
            groups = totals(conn, measure, dimensions, from_, to, reader)
        cells = [Cell(**group, shown=str(group["n"])) for group in groups]
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


def _hidden(by: Sequence[str], months: Sequence[str]) -> list[Cell]:
    """One cell per month asked for, whatever there is to count, so that the number of cells reveals nothing."""
    if list(by) == ["month"]:
        return [Cell.model_validate({"month": month, "n": None, "shown": HIDDEN}) for month in months]
    return [Cell.model_validate(dict.fromkeys(by) | {"n": None, "shown": HIDDEN})]


def _months(first: str | None, last: str | None) -> list[str]:
    """The months asked for. Default: the year that ends with `last`, or with the current month. Raises Problem 422 if
    they are more than MOST_MONTHS or not of the calendar, which begins with year 1."""
    try:
        end = _first_day(last or max(clock.month_of(clock.now()), first or ""))
        begin = _first_day(first) if first else end - relativedelta(months=11)
    except ValueError:
        raise _range("The months are before the year 1.") from None
    span = relativedelta(end, begin)
    number = span.years * 12 + span.months + 1
    if number > MOST_MONTHS:
        raise _range(f"More than {MOST_MONTHS} months are asked for.")
    return [(begin + relativedelta(months=each)).isoformat()[:7] for each in range(number)]


def _first_day(month: str) -> date:
    return date.fromisoformat(f"{month}-01")


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
