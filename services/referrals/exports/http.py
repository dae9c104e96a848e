"""`GET /referrals.csv` streams a partner's referrals as a table, page by page; it never holds the whole table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime
from sqlalchemy import Connection

from jalons.clock import BRUSSELS, local_date
from jalons.privacy.aliases import name_for
from jalons.privacy.own_ids import day_of
from services.referrals.acts.reading import as_seen
from services.referrals.acts.rows import REFERRALS
from services.referrals.acts.rules import Referral
from services.referrals.acts.sheets import sheet
from services.referrals.calls.edge import Edge, call, partner_of
from services.referrals.codes.http import labelled
from services.referrals.directory import rows as directory
from services.referrals.directory.addresses import address_of
from services.referrals.exports import sheet as table
from services.referrals.imports.checking import sent_on
from services.referrals.persons import rows as persons
from services.referrals.work import Call

Partner = Annotated[Call, Depends(call("partner"))]
Since = Annotated[
    AwareDatetime | date | None, Query(description="only what changed since that day began; an instant means its day")
]
PAGE = 200
"""Rows read in one transaction."""
MARGIN = timedelta(minutes=1)
"""Subtracted from `changed_since`: rows committed while the last table was read come again rather than never."""
_HEADERS = {"Content-Disposition": 'attachment; filename="relais.csv"', "Cache-Control": "no-store"}
_EXAMPLE = "Relais;Dossier;…;État du relais\r\nR-5WPG-98H;H-2026-114;…;Accepté\r\n"
_Read = Callable[[Connection], tuple[str, UUID | None]]


def routes(edge: Edge) -> APIRouter:
    """`/referrals.csv`."""
    router = APIRouter(tags=["referrals"])

    @router.get(
        "/referrals.csv",
        summary="Your referrals as a table, newest first, with the headings that an import knows",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/csv": {"schema": {"type": "string"}, "example": _EXAMPLE}}}},
    )
    def as_table(
        caller: Partner, box: Literal["received", "sent"] = "received", changed_since: Since = None
    ) -> StreamingResponse:
        """UTF-8 with `;`; your own `local_ref` stands in the rows of your persons alone. Each row is what
        `GET /referrals/{id}` would show you. A row that has changed may come again, in the next table as in this."""
        return StreamingResponse(
            _pages(edge, caller, "recipient" if box == "received" else "referrer", _instant(changed_since, caller.now)),
            headers=_HEADERS,
            media_type="text/csv; charset=utf-8",
        )

    return router


def _pages(edge: Edge, caller: Call, role: str, since: datetime | None) -> Iterator[str]:
    """The table in parts. The first one is read before the response starts, so a refusal still gets its status."""
    first, before = edge.query(_page(edge, caller, role, since, None), caller)

    def rest() -> Iterator[str]:
        yield table.heading() + first
        place = before
        while place is not None:
            part, place = edge.query(_page(edge, caller, role, since, place), caller)
            yield part

    return rest()


def _page(edge: Edge, caller: Call, role: str, since: datetime | None, before: UUID | None) -> _Read:
    """Reads a page: its rows as CSV, and the id after which the next page begins; None after the last one."""
    partner = partner_of(caller.principal)

    def read(conn: Connection) -> tuple[str, UUID | None]:
        found = REFERRALS.changed_page(conn, role, partner, since=since, before=before, limit=PAGE)
        changed = {state.id: at for state, at in found}
        states = as_seen(conn, [state for state, _ in found], partner, caller.now)
        own = persons.local_refs(conn, partner, {state.ref for state in states})
        rows = [_fields(edge, caller, state, own.get(state.ref), changed[state.id]) for state in states]
        partners = directory.partners_of(conn, {state.recipient for state in states})
        for row, state in zip(rows, states, strict=True):
            row["place"] = address_of(partners[state.recipient], row.get("place"))
        return table.text(rows, _labels()), states[-1].id if len(states) == PAGE else None

    return read


def _fields(edge: Edge, caller: Call, state: Referral, local_ref: str | None, changed: datetime) -> dict[str, Any]:
    """A row's fields, each only if the caller sees it."""
    partner = partner_of(caller.principal)
    named = name_for(partner, state.ref, state.home, edge.ground.alias)
    also = {"local_ref": local_ref, "happened_on": sent_on(state), "changed": local_date(changed)}
    seen = sheet(state, partner, named, caller.today, also)
    return table.fields(seen, seen.get("local_ref"), seen.get("happened_on"), seen["changed"])


def _instant(since: datetime | date | None, now: datetime) -> datetime | None:
    """From when on changes are given: the day's beginning, since an instant would tell when another partner acted."""
    if since is None:
        return None
    begins = since if isinstance(since, datetime) else datetime.combine(since, time(), BRUSSELS)
    if begins.year == 1:
        return begins
    return begins if begins - MARGIN > now else day_of(begins - MARGIN)


@cache
def _labels() -> table.CodeLabels:
    return {name: {each["code"]: each["label"] for each in codes} for name, codes in labelled("fr").items()}
