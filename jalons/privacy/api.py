"""`GET /audit` tells the home partner who read or wrote what of its person, and the coordinator who used an act."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel
from sqlalchemy import Connection, Engine

from jalons import clock
from jalons.database import transact
from jalons.messaging.generation import CURSOR_MOST, place_of
from jalons.privacy.audit import Audit, AuditLine, AuditPage, Caller
from jalons.privacy.cursors import Cursors
from jalons.privacy.own_ids import OwnId, day_of, reader_of
from jalons.privacy.references import normalise
from jalons.web.application import Actor
from jalons.web.identity import Principal, forbidden, require
from jalons.web.problems import Problem

Reader = Annotated[Principal, Depends(require("partner", "coordinator"))]
At = Annotated[AwareDatetime | None, Query()]
Home = Callable[[Connection, UUID, str], UUID | None]
"""(connection, id, partner) → the ref of the person, if the partner is the person's home; None otherwise, and once the
person is erased."""
_NEWEST = 2**63 - 1
_NO_GENERATION = UUID(int=0)


class Seen(BaseModel):
    """One line. at: the day only, to the coordinator. actor: the acting partner's own code for its staff. call: to the
    partner that called, the header `Jalons-Call` of its answer; to another a value of its own."""

    at: AwareDatetime
    call: UUID
    partner: str
    actor: str | None
    noun: str
    action: str
    reference: str | None
    purpose: str | None


class SeenPage(BaseModel):
    """next: pass it as `cursor` for older lines; null on the last page."""

    items: list[Seen]
    next: str | None


def audit_routes(engine: Engine, audit: Audit, home: Home, own: OwnId, cursors: Cursors) -> APIRouter:
    """The route, for each service that shows persons."""
    routes = APIRouter(tags=["persons"])

    @routes.get("/audit", summary="Who read or wrote what of a person, when and why; newest first")
    def listed(
        caller: Reader,
        by: Actor,
        beneficiary: Annotated[UUID | None, Query(description="one of your persons, by the ref (home partner)")] = None,
        reference: Annotated[str | None, Query(max_length=20, description="an act's (coordinator)")] = None,
        from_: Annotated[At, Query(alias="from")] = None,
        to: At = None,
        cursor: Annotated[str | None, Query(max_length=CURSOR_MOST, description="`next` of the page before")] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> SeenPage:
        """`action` is the event's verb, or `read`. This call is audited too, and appears in the next answer."""
        reader = reader_of(caller)
        before = place_of(cursor, reader, cursors, _NO_GENERATION) if cursor else _NEWEST
        page = AuditPage(from_, to, before, limit)
        if (beneficiary is None) == (reference is None):
            raise _which()

        def of_person(conn: Connection, named: UUID) -> list[dict[str, Any]]:
            ref = home(conn, named, caller.partner) if caller.partner else None
            if ref is None:
                raise _unknown("person")
            lines = audit.of_person(conn, str(ref), page)
            audit.write(conn, Caller(caller, clock.new_id(), clock.now(), by), [AuditLine(str(ref), "audit")])
            return lines

        def of_act(conn: Connection, typed: str) -> list[dict[str, Any]]:
            known = normalise(typed)
            if known is None:
                raise _unknown("act")
            return audit.of_act(conn, known, _by_day(page))

        if beneficiary is not None:
            if not caller.has("partner"):
                raise forbidden("partner")
            rows = transact(engine, lambda conn: of_person(conn, beneficiary))
        else:
            if not caller.has("coordinator"):
                raise forbidden("coordinator")
            rows = transact(engine, lambda conn: of_act(conn, reference or ""))
        following = cursors.seal(_NO_GENERATION, rows[-1]["id"], reader) if len(rows) == limit else None
        shown = _line_of_act if reference else _line_of_person
        return SeenPage(items=[Seen(**shown(row, own, reader)) for row in rows], next=following)

    return routes


def _line_of_person(row: dict[str, Any], own: OwnId, reader: str) -> dict[str, Any]:
    return row | {"call": own(row["call"], reader)}


def _line_of_act(row: dict[str, Any], own: OwnId, reader: str) -> dict[str, Any]:
    """Two acts that one call changed have its id and its instant: she is shown neither, since they would join."""
    return row | {"call": own(row["call"], f"{reader} {row['reference']}"), "at": day_of(row["at"])}


def _by_day(page: AuditPage) -> AuditPage:
    """The page with its bounds at the beginning of their days: bounds would tell the instant otherwise."""
    return replace(page, since=page.since and day_of(page.since), until=page.until and day_of(page.until))


def _which() -> Problem:
    return Problem(
        422,
        "invalid",
        "An audit is asked of one person or of one act.",
        "Give `beneficiary` (the home partner, by the ref) or `reference` (the coordinator), not both.",
    )


def _unknown(what: str) -> Problem:
    return Problem(404, "not_found", f"There is no such {what}, or it is not yours.", "Check the id you were given.")
