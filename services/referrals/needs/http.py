"""The routes of needs: any partner expresses them; its author and the person's home partner read them."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse
from sqlalchemy import ColumnElement, Connection

from jalons.privacy.aliases import name_for
from jalons.privacy.disclosure import role_of
from jalons.privacy.visibility import visible
from services.referrals import tables
from services.referrals.calls.edge import Answer, Edge, call
from services.referrals.needs import commands
from services.referrals.needs.bodies import NeedBody
from services.referrals.needs.rows import NEEDS
from services.referrals.needs.rules import Need
from services.referrals.statements.http import reading_routes
from services.referrals.work import Call, Work

PartnerCreates = Annotated[Call, Depends(call("partner", keyed=True))]


def routes(edge: Edge) -> APIRouter:
    """`/needs`."""
    router = APIRouter(tags=["needs"])

    def shown(need: Need, partner: str) -> dict[str, Any]:
        body: dict[str, Any] = {
            "need_id": need.need_id,
            "kind": need.kind,
            "source": need.source,
            "commune_nis": need.commune_nis,
            "met_by_offer": need.met,
            "happened_on": need.on,
        }
        for name in ("said_by", "domain", "offer", "offer_type", "moment", "reference"):
            if (value := getattr(need, name)) is not None:
                body[name] = value
        if need.ref is not None:
            body["beneficiary"] = name_for(partner, need.ref, need.home, edge.ground.alias)
        parties = {role: slug for role, slug in (("said_by", need.said_by), ("home", need.home)) if slug}
        return visible("need", body, role_of(partner, parties))

    @router.post("/needs", summary="Say what a person needs, or what is needed in a commune", status_code=201)
    def express(body: NeedBody, caller: PartnerCreates) -> JSONResponse:
        def said(work: Work) -> Answer:
            made = commands.express(work, body.model_dump())
            return Answer(shown(made, work.call.partner), 201, thing=made.need_id)

        def again(conn: Connection, need_id: UUID) -> Answer | None:
            found = NEEDS.find(conn, need_id, caller.partner)
            return Answer(shown(found, caller.partner)) if found else None

        return edge(caller, said, again)

    reading_routes(router, edge, NEEDS, shown, only=_met)
    return router


def _met(
    met: Annotated[
        bool | None, Query(description="only those that an offer meets, or only those that none meets")
    ] = None,
) -> ColumnElement[bool] | None:
    return None if met is None else tables.needs.c.met.is_(met)
