"""Persons who left long enough ago are erased: the operator looks who they are by number only, then says so."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from jalons.database import transaction
from services.referrals.calls.edge import Answer, Edge, call
from services.referrals.erasure.commands import due_now, erase_leaver
from services.referrals.erasure.rows import Leaver
from services.referrals.work import Call, Work

Operator = Annotated[Call, Depends(call("operator"))]

MOST = 50
"""Persons erased in one call, each in a transaction of its own: a call that is cut short has done what it has done."""


def routes(edge: Edge) -> APIRouter:
    """`GET /retention` and `POST /retention`."""
    router = APIRouter(tags=["operation"])

    def due(caller: Call) -> list[Leaver]:
        with transaction(edge.ground.engine) as conn:
            return due_now(conn, caller.today)

    @router.get("/retention", summary="How many persons are due for erasure, by home partner (scope operator)")
    def listed(caller: Operator) -> dict[str, Any]:
        counted = Counter(leaver.home for leaver in due(caller))
        items = [{"home": home, "persons": counted[home]} for home in sorted(counted)]
        return {"items": items, "total": counted.total()}

    @router.post("/retention", summary=f"Erase the {MOST} who left first (scope operator)")
    def erase(caller: Operator) -> dict[str, int]:
        found = due(caller)
        erased = sum(_erased(edge, caller, leaver) for leaver in found[:MOST])
        return {"erased": erased, "left": max(0, len(found) - MOST)}

    return router


def _erased(edge: Edge, caller: Call, leaver: Leaver) -> bool:
    """One person; False if they are gone or accompanied again meanwhile."""
    done = False

    def erase(work: Work) -> Answer:
        nonlocal done
        done = erase_leaver(work, leaver)
        return Answer({})

    edge(replace(caller, key=None, if_match=None), erase)
    edge.keys.cache.forget(str(leaver.ref))
    return done
