"""Offers over HTTP, written by their partners and searched by referrers; and the places of communes."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from schemas.codes import Moment, Nis, OfferStatus, OfferType, PartnerKind, Slug
from services.referrals import refusals
from services.referrals.agreements.rules import destinations
from services.referrals.calls.bodies import Commune
from services.referrals.calls.edge import Answer, Edge, call, partner_of
from services.referrals.calls.paging import Cursor, Limit, paged
from services.referrals.directory import commands
from services.referrals.directory import rows as directory
from services.referrals.directory.bodies import CommuneBody, OfferBody
from services.referrals.directory.communes import distances
from services.referrals.directory.fitting import free_places
from services.referrals.directory.http import found, record, written
from services.referrals.directory.rows import FAR, FIRST_PAGE, OfferFilter, Row
from services.referrals.work import Call

Coordinator = Annotated[Call, Depends(call("coordinator"))]
Writer = Annotated[Call, Depends(call("partner", "coordinator"))]
Partner = Annotated[Call, Depends(call("partner"))]
Reader = Annotated[Call, Depends(call("partner", "coordinator", "hub"))]
Name = Annotated[Slug, Path()]
_CURSOR = re.compile(r"([0-9]{1,6})\|([a-z0-9-]{1,63})")


class OfferQuery(BaseModel):
    """The query parameters of `GET /offers`; an offer must match all that are given."""

    model_config = ConfigDict(extra="forbid")

    partner: Slug | None = None
    moment: Moment | None = None
    type: OfferType | None = None
    status: OfferStatus | None = None
    commune_nis: Commune | None = Field(None, description="offers in this very commune")
    commune: Commune | None = Field(None, description="NIS or postal code: the nearest to it first")
    within_km: int | None = Field(None, ge=0, le=1000, description="not further from `commune`, in a straight line")
    kind: PartnerKind | None = None
    free: bool = Field(False, description="with a place left")
    transport_help: bool = Field(False, description="that help with the way")
    covered: bool = Field(False, description="to which a convention in force lets you refer, for their moment")
    past: bool = Field(False, description="also closed ones, outside their dates, or of a partner that is not active")
    cursor: Cursor = None
    limit: Limit = 100


def routes(edge: Edge) -> APIRouter:
    """The routes of offers and communes."""
    router = APIRouter(tags=["directory"])

    @router.put("/offers/{offer}", summary="Write an offer of yours", status_code=201)
    def put_offer(offer: Name, body: OfferBody, caller: Writer) -> JSONResponse:
        return edge(caller, lambda work: written(*commands.put_offer(work, offer, body.model_dump())))

    @router.get("/offers", summary="The offers of the network, nearest first, with the places they have left")
    def list_offers(query: Annotated[OfferQuery, Query()], caller: Reader) -> JSONResponse:
        def page(conn: Connection) -> Answer:
            rows = directory.offers(conn, _filter(conn, query, caller), _position(query.cursor), query.limit)
            if query.commune is None:
                return paged([_shown(row) for row in rows], query.limit, _cursor)
            return paged([_shown(row) | {"distance_km": row["distance_km"]} for row in rows], query.limit, _cursor)

        return edge.read(page)

    @router.get("/offers/{offer}", summary="One offer, with the places it has left")
    def get_offer(offer: Name, caller: Reader) -> JSONResponse:
        def one(conn: Connection) -> Answer:
            wanted = OfferFilter(caller.today, {"offer": offer}, trial=_trial(conn, caller), past=True)
            return found("offer", next(map(_shown, directory.offers(conn, wanted, FIRST_PAGE, 1)), None))

        return edge.read(one)

    @router.post("/offers/{offer}/confirm", summary="Your offer is still as it stands there")
    def confirm(offer: Name, caller: Partner) -> JSONResponse:
        return edge(caller, lambda work: record(commands.confirm_offer(work, offer)))

    @router.put("/communes/{nis}", summary="Where a commune lies (coordinator)", status_code=201)
    def put_commune(nis: Annotated[Commune, Path()], body: CommuneBody, caller: Coordinator) -> JSONResponse:
        return edge(caller, lambda work: written(*commands.put_commune(work, nis, body.model_dump())))

    @router.get("/communes", summary="The communes between which distances are known")
    def list_communes(_caller: Reader, cursor: Nis | None = None, limit: Limit = 500) -> JSONResponse:
        def page(conn: Connection) -> Answer:
            known = sorted(directory.communes(conn).items())
            rows = [{"nis": nis, **commune._asdict()} for nis, commune in known if nis > (cursor or "")]
            return paged(rows[:limit], limit, lambda row: str(row["nis"]))

        return edge.read(page)

    return router


def _filter(conn: Connection, query: OfferQuery, caller: Call) -> OfferFilter:
    """The filter that a query stands for. Raises Problem 403 and 422."""
    columns = query.model_dump(include={"partner", "moment", "type", "status", "commune_nis"}, exclude_none=True)
    wanted = OfferFilter(
        caller.today,
        columns,
        kind=query.kind,
        trial=_trial(conn, caller),
        within_km=query.within_km,
        free=query.free,
        transport_help=query.transport_help,
        past=query.past,
    )
    if query.commune is not None:
        wanted = replace(wanted, distances=distances(directory.communes(conn), query.commune))
        if not wanted.distances:
            raise refusals.unknown_commune("commune")
    elif query.within_km is not None:
        raise refusals.invalid("within_km", "from where? name `commune`")
    if query.covered:
        me = partner_of(caller.principal)
        wanted = replace(wanted, covered=destinations(directory.signed_of(conn, me), me, caller.today))
    return wanted


def _trial(conn: Connection, caller: Call) -> bool | None:
    """Whether a caller sees the offers of partners on trial, or those of all others: as its own partner. None: it sees
    all, as the coordinator or the hub."""
    if caller.principal.has("coordinator", "hub"):
        return None
    mine = directory.partner(conn, partner_of(caller.principal))
    return bool(mine and mine["trial"])


def _shown(row: Row) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("taken", "distance_km")} | {
        "free_places": free_places(row)
    }


def _cursor(row: dict[str, Any]) -> str:
    distance = row.get("distance_km")
    position = f"{FAR if distance is None else distance}|{row['offer']}"
    return base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")


def _position(cursor: str | None) -> tuple[int, str]:
    """The distance and the name of the last offer of a page. Raises Problem 422."""
    if cursor is None:
        return FIRST_PAGE
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except ValueError:
        text = ""
    parts = _CURSOR.fullmatch(text)
    if parts is None:
        raise refusals.invalid_cursor()
    return int(parts[1]), parts[2]
