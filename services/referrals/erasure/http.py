"""Erasing a person over HTTP, and the receipt: what was done, when, by which service, and what lies outside the hub."""

from __future__ import annotations

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
from services.referrals.erasure.commands import erase
from services.referrals.work import Call, Work

Home = Annotated[Call, Depends(call("partner"))]

_DONE = ("key_destroyed", "profile", "local_ref", "agreements", "disclosures", "aliases", "stored_answers")
_FOLLOWERS: dict[ServiceName, tuple[str, ...]] = {
    "observation": ("timeline", "steps", "aliases"),
    "notifications": ("pending_messages", "bodies", "links_to_the_person"),
}
"""What each service forgets, in the words of docs/how-to/erase-a-person.md."""


def routes(edge: Edge, peers: Peers) -> APIRouter:
    """`DELETE /beneficiaries/{beneficiary}` and `GET /erasures/{receipt_id}`."""
    router = APIRouter(tags=["persons"])

    @router.delete("/beneficiaries/{beneficiary}", summary="Erase a person, for good", status_code=202)
    def erased(beneficiary: UUID, caller: Home) -> JSONResponse:
        def done(work: Work) -> Answer:
            return Answer({"receipt_id": erase(work, beneficiary)}, 202)

        answer = edge(caller, done)
        edge.keys.cache.forget(str(beneficiary))  # once committed: before, a reader would have fetched it again
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
                "kept_without_the_person": {"acts": found.acts, "counts": "raw_totals"},
                "outside_the_hub": found.holders,
            }
        )

    return router


def _applied(peers: Peers, service: ServiceName, receipt_id: UUID) -> dict[str, Any]:
    """What a service says of it; that it does not answer is said as well."""
    try:
        at = peers.forgotten(service, receipt_id)
    except PeerAway:
        return {"service": service, "status": "not_known_now", "applied_at": None, "erased": []}
    if at is None:
        return {"service": service, "status": "pending", "applied_at": None, "erased": []}
    return {"service": service, "status": "applied", "applied_at": at.isoformat(), "erased": [*_FOLLOWERS[service]]}
