"""What the referrer answers to a person who said « no longer »: that the person goes on."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from services.referrals.acts.http import IdOrReference, act_named, again, seen
from services.referrals.acts.rows import REFERRALS
from services.referrals.calls.edge import Answer, Edge, call
from services.referrals.slips import commands
from services.referrals.work import Call, Work

Partner = Annotated[Call, Depends(call("partner"))]


def routes(edge: Edge) -> APIRouter:
    """`/referrals/{id}/go-on`."""
    router = APIRouter(tags=["referrals"])

    @router.post("/referrals/{id}/go-on", summary="The person who said « no longer » goes on (referrer)")
    def go_on(id: IdOrReference, caller: Partner) -> JSONResponse:  # noqa: A002 - the contract's name
        def answered(work: Work) -> Answer:
            return seen(work.conn, commands.record_going_on(work, act_named(id, "referrals")), work.call, edge)

        return edge(caller, answered, again(edge, REFERRALS, caller))

    return router
