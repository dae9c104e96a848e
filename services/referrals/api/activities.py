"""Activities over HTTP: said by a partner that knows the person, read by it and by the home partner."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse
from sqlalchemy import Connection

from schemas import codes
from services.referrals import refusals
from services.referrals.api.bodies import Dated, Day, Spoken
from services.referrals.api.edge import Answer, Edge, call, partner_of
from services.referrals.api.paging import NEWEST, Limit, paged
from services.referrals.commands import activities as commands
from services.referrals.domain.activities import Activity
from services.referrals.store import activities, persons
from services.referrals.work import Call

Partner = Annotated[Call, Depends(call("partner"))]
PartnerCreates = Annotated[Call, Depends(call("partner", keyed=True))]


class ActivityBody(Dated):
    """`POST /activities`. `training_id`: the accompaniment it came from, where it is not the one under way."""

    beneficiary: UUID
    on: Day
    form: codes.ActivityForm
    training_id: Spoken | None = None


def routes(edge: Edge) -> APIRouter:
    """`/activities`."""
    router = APIRouter(tags=["activities"])

    def shown(activity: Activity, partner: str) -> dict[str, Any]:
        own = activity.home == partner
        body: dict[str, Any] = {
            "activity_id": activity.activity_id,
            "beneficiary": activity.ref if own else edge.ground.alias(str(activity.ref), partner),
            "on": activity.on,
            "form": activity.form,
            "said_by": activity.said_by,
        }
        return body | ({"training_id": activity.training_id} if activity.training_id else {})

    @router.post("/activities", summary="A person created an activity of their own", status_code=201)
    def create(body: ActivityBody, caller: PartnerCreates) -> JSONResponse:
        return edge(
            caller, lambda work: Answer(shown(commands.create(work, body.model_dump()), work.call.partner), 201)
        )

    @router.get("/activities", summary="Those you said, and those of your persons")
    def listed(
        caller: Partner,
        beneficiary: Annotated[UUID | None, Query(description="of this person only")] = None,
        cursor: UUID | None = None,
        limit: Limit = 50,
    ) -> JSONResponse:
        partner = partner_of(caller.principal)

        def page(conn: Connection) -> Answer:
            ref = persons.ref_of(conn, beneficiary, partner) if beneficiary else None
            if beneficiary and ref is None:
                raise refusals.not_found("beneficiary")
            found = activities.page(conn, partner, ref, cursor or NEWEST, limit)
            return paged([shown(each, partner) for each in found], limit, lambda row: str(row["activity_id"]))

        return edge.read(page, caller)

    @router.get("/activities/{activity_id}", summary="One of them")
    def one(activity_id: UUID, caller: Partner) -> JSONResponse:
        partner = partner_of(caller.principal)

        def found(conn: Connection) -> Answer:
            activity = activities.find(conn, activity_id, partner)
            if activity is None:
                raise refusals.not_found("activity")
            return Answer(shown(activity, partner))

        return edge.read(found, caller)

    return router
