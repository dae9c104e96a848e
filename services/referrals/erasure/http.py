"""Erasing persons over HTTP: one on request, those whose retention is over by the operator; and the receipt."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from jalons.database import transaction
from jalons.process.peers import PeerAway, Peers
from jalons.process.settings import ServiceName
from services.referrals import refusals
from services.referrals.calls.edge import Answer, Edge, call, partner_of
from services.referrals.erasure import rows as erasures
from services.referrals.erasure.commands import due_now, erase, erase_leaver
from services.referrals.erasure.rows import Leaver
from services.referrals.work import Call, Work

Home = Annotated[Call, Depends(call("partner"))]
Operator = Annotated[Call, Depends(call("operator"))]

MOST = 50
"""The most persons erased in one call, each in its own transaction: what an interrupted call did stays done."""

_DONE = ("key_destroyed", "profile", "local_ref", "agreements", "disclosures", "aliases", "stored_answers")
_FOLLOWERS: dict[ServiceName, tuple[str, ...]] = {
    "observation": ("timeline", "steps", "aliases"),
    "notifications": ("pending_messages", "bodies", "links_to_the_person"),
}
"""What each service erases, in the terms of docs/how-to/erase-a-person.md."""


def routes(edge: Edge, peers: Peers) -> APIRouter:
    """`DELETE /beneficiaries/{beneficiary}`, `/erasures/{receipt_id}` and `/retention`."""
    router = APIRouter()
    router.include_router(_on_request(edge, peers))
    router.include_router(_retention(edge))
    return router


def _on_request(edge: Edge, peers: Peers) -> APIRouter:
    router = APIRouter(tags=["persons"])

    @router.delete("/beneficiaries/{beneficiary}", summary="Erase a person, for good", status_code=202)
    def erased(beneficiary: UUID, caller: Home) -> JSONResponse:
        def done(work: Work) -> Answer:
            return Answer({"receipt_id": erase(work, beneficiary)}, 202)

        answer = edge(caller, done)
        edge.keys.cache.forget(str(beneficiary))  # after the commit: before it, a reader would fetch the key again
        return answer

    @router.get("/erasures/{receipt_id}", summary="What an erasure did, where, and what lies outside the hub")
    def receipt(receipt_id: UUID, caller: Home) -> JSONResponse:
        home = partner_of(caller.principal)
        with transaction(edge.ground.engine) as conn:
            found = erasures.receipt(conn, receipt_id)
        if found is None or found.home != home:
            raise refusals.not_found("receipt")
        applied = [_applied(peers, service, receipt_id) for service in _FOLLOWERS]
        own = {"service": "referrals", "status": "applied", "applied_at": found.at.isoformat(), "erased": [*_DONE]}
        return JSONResponse(
            {
                "receipt_id": str(receipt_id),
                "at": found.at.isoformat(),
                "why": found.why,
                "services": [own, *applied],
                "kept_without_the_person": {
                    "acts": found.acts,
                    "counts": "raw_totals",
                    "log": ["references", "ids_of_acts", "types", "times", "partners"],
                },
                "outside_the_hub": found.holders,
            }
        )

    return router


def _retention(edge: Edge) -> APIRouter:
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
    """Erase one person; False if they were erased, or are accompanied again, since they were found due."""
    done = False

    def erase(work: Work) -> Answer:
        nonlocal done
        done = erase_leaver(work, leaver)
        return Answer({})

    edge(replace(caller, key=None, if_match=None), erase)
    edge.keys.cache.forget(str(leaver.ref))
    return done


def _applied(peers: Peers, service: ServiceName, receipt_id: UUID) -> dict[str, Any]:
    """Whether a service has applied an erasure, as it says itself; `not_known_now` while it does not answer."""
    try:
        at = peers.forgotten(service, receipt_id)
    except PeerAway:
        return {"service": service, "status": "not_known_now", "applied_at": None, "erased": []}
    if at is None:
        return {"service": service, "status": "pending", "applied_at": None, "erased": []}
    return {"service": service, "status": "applied", "applied_at": at.isoformat(), "erased": [*_FOLLOWERS[service]]}
