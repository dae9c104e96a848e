"""What the network's front may do with a reference that an employer gives: see whom it concerns, ask for a call."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from sqlalchemy import Connection

from jalons.privacy.references import normalise
from schemas.callback import AskedV1
from services.referrals import refusals
from services.referrals.acts.fronting import employer_of
from services.referrals.acts.http import IdOrReference
from services.referrals.acts.rows import PLACEMENTS, REFERRALS, Acts
from services.referrals.acts.rules import Act
from services.referrals.calls.edge import Answer, Edge, call
from services.referrals.directory import rows as directory
from services.referrals.work import Call, Work

Partner = Annotated[Call, Depends(call("partner"))]
PartnerCreates = Annotated[Call, Depends(call("partner", keyed=True))]
_STORES: dict[str, tuple[str, Acts[Any]]] = {"R": ("referral", REFERRALS), "P": ("placement", PLACEMENTS)}
_OFFICE = ("name", "phone", "phone_hours", "mailbox")


def routes(edge: Edge) -> APIRouter:
    """`/references/{id}`."""
    router = APIRouter(tags=["front"])

    @router.get("/references/{id}", summary="Whom a reference concerns that an employer gave (the network's front)")
    def looked_up(id: IdOrReference, caller: Partner) -> JSONResponse:  # noqa: A002 - the contract's name
        return edge.read(lambda conn: Answer(_shown(conn, _found(conn, id, caller))), caller)

    @router.post(
        "/references/{id}/call-back", summary="Ask whoever proposed the person to call the employer", status_code=201
    )
    def call_back(id: IdOrReference, caller: PartnerCreates) -> JSONResponse:  # noqa: A002 - the contract's name
        def asked(work: Work) -> Answer:
            state = _found(work.conn, id, caller)
            named = {f"{_STORES[state.reference[0]][0]}_id": state.id}
            event = AskedV1(
                **named,
                reference=state.reference,
                home=state.home,
                proposer=_proposer(state),
                said_by=caller.partner,
                trial=bool(state.facts.get("trial")),
            )
            work.record(state.ref, event)
            return Answer(_shown(work.conn, state), 201)

        return edge(caller, asked)

    return router


def _found(conn: Connection, named: str, caller: Call) -> Act:
    """The act of a reference that an employer is party to. Raises Problem 403 for anyone but the front, and 404."""
    front = directory.front(conn)
    if front is None or front["slug"] != caller.partner:
        raise refusals.not_the_front()
    reference = normalise(named)
    _, store = _STORES.get((reference or "")[:1], (None, None))
    state: Act | None = store.find(conn, reference) if store and reference else None
    if state is None or employer_of(state) is None or state.facts.get("erased"):
        raise refusals.not_found("reference")
    return state


def _shown(conn: Connection, state: Act) -> dict[str, Any]:
    """The two offices, and nothing of the person."""
    employer, proposer = employer_of(state) or "", _proposer(state)
    rows = directory.partners_of(conn, {employer, proposer})
    offices = {"employer": employer, "accompanist": proposer}
    return {"ref": state.reference} | {
        role: {"partner": slug, **{name: rows[slug][name] for name in _OFFICE}} for role, slug in offices.items()
    }


def _proposer(state: Act) -> str:
    parties = state.parties()
    return parties.get("proposer") or parties["referrer"]
