"""The routes of activities: a partner that knows the person records them; it and the home partner read them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from jalons.privacy.aliases import name_for
from jalons.privacy.disclosure import role_of
from jalons.privacy.visibility import visible
from services.referrals.activities import commands
from services.referrals.activities.bodies import ActivityBody
from services.referrals.activities.rows import ACTIVITIES
from services.referrals.activities.rules import Activity
from services.referrals.calls.edge import Answer, Edge, call
from services.referrals.statements.http import reading_routes
from services.referrals.work import Call

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
        return edge(
            caller, lambda work: Answer(shown(commands.create(work, body.model_dump()), work.call.partner), 201)
        )

    reading_routes(router, edge, ACTIVITIES, shown)
    return router
