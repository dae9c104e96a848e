"""Moves the hub's time forward where it runs with a test clock; refused everywhere else."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from jalons import clock
from jalons.clock import NoTestClock, NotForward
from jalons.web.identity import Principal, require
from jalons.web.problems import Problem
from services.referrals.clock.bodies import ClockBody


def routes() -> APIRouter:
    """`POST /test/clock`."""
    router = APIRouter(tags=["operation"])

    @router.post("/test/clock", summary="Move the hub's time forward, for trying out deadlines (operator)")
    def move(body: ClockBody, _caller: Annotated[Principal, Depends(require("operator"))]) -> dict[str, Any]:
        """Time goes on from there, in all three services within a second. What fell due meanwhile is done at once."""
        try:
            clock.move_to(body.now)
        except NoTestClock:
            raise Problem(
                409,
                "no_test_clock",
                "This hub goes by the real time.",
                "Try deadlines out on a hub of your own: `jalons up --test-clock`.",
            ) from None
        except NotForward:
            raise Problem(
                409,
                "clock_moves_forward",
                "The hub's time is past this instant already, and what was recorded cannot be unrecorded.",
                "Name a later one, or begin with an empty folder.",
            ) from None
        return {"now": clock.now().isoformat()}

    return router
