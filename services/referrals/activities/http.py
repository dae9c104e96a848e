"""The routes of activities: a partner that knows the person records them; it and the home partner read them."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from sqlalchemy import Connection

from jalons.privacy.aliases import name_for
from jalons.privacy.disclosure import role_of
from jalons.privacy.visibility import visible
from services.referrals.activities import commands
from services.referrals.activities.bodies import ActivityBody
from services.referrals.activities.rows import ACTIVITIES
from services.referrals.activities.rules import Activity
from services.referrals.calls.edge import Answer, Edge, call
from services.referrals.statements.http import reading_routes
from services.referrals.work import Call, Work

PartnerCreates = Annotated[Call, Depends(call("partner", keyed=True))]


def routes(edge: Edge) -> APIRouter:
    """`/activities`."""
    router = APIRouter(tags=["activities"])

    def shown(activity: Activity, partner: str) -> dict[str, Any]:
        body: dict[str, Any] = {
            "activity_id": activity.activity_id,
            "beneficiary": name_for(partner, activity.ref, activity.home, edge.ground.alias),
            "on": activity.on,
            "form": activity.form,
            "said_by": activity.said_by,
        }
        body |= {"training_id": activity.training_id} if activity.training_id else {}
        return visible("activity", body, role_of(partner, {"home": activity.home, "said_by": activity.said_by}))

    @router.post("/activities", summary="A person created an activity of their own", status_code=201)
    def create(body: ActivityBody, caller: PartnerCreates) -> JSONResponse:
        def said(work: Work) -> Answer:
            made = commands.create(work, body.model_dump())
            return Answer(shown(made, work.call.partner), 201, thing=made.activity_id)

        def again(conn: Connection, activity_id: UUID) -> Answer | None:
            found = ACTIVITIES.find(conn, activity_id, caller.partner)
            return Answer(shown(found, caller.partner)) if found else None

        return edge(caller, said, again)

    reading_routes(router, edge, ACTIVITIES, shown)
    return router
