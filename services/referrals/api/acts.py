"""Referrals, trainings and placements over HTTP: create, read, list, and one route per action of the tables."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import JSONResponse
from sqlalchemy import Connection

from jalons.identity import forbidden
from jalons.privacy.references import normalise
from services.referrals import refusals
from services.referrals.api import bodies
from services.referrals.api.edge import Answer, Edge, call, partner_of
from services.referrals.api.late import late_ones
from services.referrals.api.paging import Limit, paged
from services.referrals.commands import acts as commands
from services.referrals.domain.acts import Act, Placement, Referral, Training, open_to
from services.referrals.store.acts import PLACEMENTS, REFERRALS, TRAININGS, Acts
from services.referrals.work import Call, Work

Partner = Annotated[Call, Depends(call("partner"))]
PartnerOrCoordinator = Annotated[Call, Depends(call("partner", "coordinator"))]
PartnerCreates = Annotated[Call, Depends(call("partner", keyed=True))]
Named = Annotated[str, Path(max_length=64, description="the id or the spoken reference")]
_NEWEST = UUID(int=2**128 - 1)

_HIDDEN_FROM_EMPLOYER = {
    Placement: frozenset({"proposer", "goal", "chosen_by", "referral_id", "end_reason"}),
    Referral: frozenset({"referrer", "reason", "goal", "chosen_by", "disclosed", "decline_reason", "outcome"}),
}
_KEPT_FOR_THE_HUB = frozenset({"recipient_kind", "offer_type", "sent_at", "trial", "answered_by_id", "terms"})

ACTIONS: Mapping[str, Mapping[str, type[bodies.Body]]] = {
    "referrals": {
        "receive": bodies.ReceiveBody,
        "accept": bodies.AcceptBody,
        "decline": bodies.DeclineBody,
        "start": bodies.StartBody,
        "complete": bodies.CompleteReferralBody,
    },
    "trainings": {"start": bodies.StartBody, "complete": bodies.CompleteTrainingBody},
    "placements": {"confirm": bodies.ConfirmBody, "start": bodies.StartBody, "end": bodies.EndBody},
}
"""Noun → action → its form; one route each."""


def routes(edge: Edge) -> APIRouter:
    """The three life cycles' routes."""
    router = APIRouter()

    @router.post("/referrals", summary="Refer a person", status_code=201, tags=["referrals"])
    def send(body: bodies.ReferralBody, caller: PartnerCreates) -> JSONResponse:
        return edge(caller, lambda work: _made(work, commands.send_referral(work, body.model_dump())))

    @router.get("/referrals", summary="Your referrals, newest first; late ones (coordinator)", tags=["referrals"])
    def list_referrals(
        caller: PartnerOrCoordinator,
        box: Literal["received", "sent"] = "received",
        status: Annotated[str | None, Query(max_length=20)] = None,
        cursor: UUID | None = None,
        limit: Limit = 50,
        late: Annotated[bool, Query(description="those nobody answered and the coordinator was told of")] = False,
    ) -> JSONResponse:
        if late:
            return edge.read(late_ones(caller, cursor, limit))
        if not caller.principal.has("partner"):
            raise forbidden("partner")
        party = "recipient" if box == "received" else "referrer"
        return edge.read(_listed(edge, REFERRALS, party, caller, status, cursor, limit))

    @router.post("/trainings", summary="Plan a training", status_code=201, tags=["trainings"])
    def enrol(body: bodies.TrainingBody, caller: PartnerCreates) -> JSONResponse:
        return edge(caller, lambda work: _made(work, commands.enrol(work, body.model_dump())))

    @router.get("/trainings", summary="Your trainings, newest first", tags=["trainings"])
    def list_trainings(
        caller: Partner,
        box: Literal["operator", "home"] = "operator",
        status: Annotated[str | None, Query(max_length=20)] = None,
        cursor: UUID | None = None,
        limit: Limit = 50,
    ) -> JSONResponse:
        return edge.read(_listed(edge, TRAININGS, box, caller, status, cursor, limit))

    @router.post("/placements", summary="Propose a placement", status_code=201, tags=["placements"])
    def propose(body: bodies.PlacementBody, caller: PartnerCreates) -> JSONResponse:
        return edge(caller, lambda work: _made(work, commands.propose(work, body.model_dump())))

    @router.get("/placements", summary="Your placements, newest first", tags=["placements"])
    def list_placements(
        caller: Partner,
        box: Literal["proposer", "employer"] = "employer",
        status: Annotated[str | None, Query(max_length=20)] = None,
        cursor: UUID | None = None,
        limit: Limit = 50,
    ) -> JSONResponse:
        return edge.read(_listed(edge, PLACEMENTS, box, caller, status, cursor, limit))

    stores: dict[str, Acts[Any]] = {"referrals": REFERRALS, "trainings": TRAININGS, "placements": PLACEMENTS}
    for noun, store in stores.items():
        _read_route(router, edge, noun, store)
        for action, form in ACTIONS[noun].items():
            _action_route(router, edge, noun, store, action, form)
    return router


def _read_route(router: APIRouter, edge: Edge, noun: str, store: Acts[Any]) -> None:
    def one(id: Named, caller: Partner) -> JSONResponse:  # noqa: A002 - the contract's name
        def found(conn: Connection) -> Answer:
            state = store.find(conn, _named(id, noun))
            if state is None or not state.party(partner_of(caller.principal)):
                raise refusals.not_found(noun.removesuffix("s"))
            return _shown(state, caller.partner, edge)

        return edge.read(found)

    router.add_api_route(f"/{noun}/{{id}}", one, methods=["GET"], summary=f"One of your {noun}", tags=[noun])


def _action_route(
    router: APIRouter, edge: Edge, noun: str, store: Acts[Any], action: str, form: type[bodies.Body]
) -> None:
    def act(id: Named, caller: Partner, body: Any = None) -> JSONResponse:  # noqa: A002 - the contract's name
        given = body.model_dump() if body is not None else {}

        def stepped(work: Work) -> Answer:
            state = commands.step(work, store, _named(id, noun), action, given)
            return _shown(state, caller.partner, edge)

        return edge(caller, stepped)

    act.__annotations__["body"] = form | None
    router.add_api_route(
        f"/{noun}/{{id}}/{action}", act, methods=["POST"], summary=f"{action.capitalize()} it", tags=[noun]
    )


def _listed(
    edge: Edge, store: Acts[Any], party: str, caller: Call, status: str | None, cursor: UUID | None, limit: int
) -> Callable[[Connection], Answer]:
    partner = partner_of(caller.principal)

    def page(conn: Connection) -> Answer:
        found = store.page(conn, party, partner, status=status, before=cursor or _NEWEST, limit=limit)
        rows = [_shown(state, partner, edge).body for state in found]
        return paged(rows, limit, lambda row: str(row[_ID[store.kind]]))

    return page


def _named(text: str, noun: str) -> UUID | str:
    """An id or a spoken reference. Raises Problem 404."""
    try:
        return UUID(text)
    except ValueError:
        reference = normalise(text)
        if reference is None:
            raise refusals.not_found(noun.removesuffix("s")) from None
        return reference


_ID: dict[type[Act], str] = {Referral: "referral_id", Training: "training_id", Placement: "placement_id"}


def _is_employer(state: Act, partner: str) -> bool:
    """Whether a partner meets it as an employer only: outside professional secrecy."""
    if isinstance(state, Referral):
        return state.party(partner) == {"recipient"} and state.facts["recipient_kind"] == "employer"
    return state.party(partner) == {"employer"}


def _made(work: Work, state: Act) -> Answer:
    return _body(state, work.call.partner, str(work.named_for(work.call.partner, state.ref, state.home)), 201)


def _shown(state: Act, partner: str, edge: Edge) -> Answer:
    named = state.ref if partner == state.home else edge.ground.alias(str(state.ref), partner)
    return _body(state, partner, str(named), 200)


def _body(state: Act, partner: str, beneficiary: str, status: int) -> Answer:
    """An act as one of its parties sees it: the person under that partner's own name for them."""
    body: dict[str, Any] = {
        _ID[type(state)]: state.id,
        "ref": state.reference,
        "beneficiary": beneficiary,
        "status": state.status,
        "version": state.version,
        **state.parties(),
        **{k: v for k, v in state.facts.items() if v is not None and k not in _KEPT_FOR_THE_HUB},
        "actions": open_to(state, partner),
    }
    if isinstance(state, Referral | Training):
        body["moment"] = state.moment
    if isinstance(state, Referral) and state.offer:
        body["offer"] = state.offer
    if isinstance(state, Training | Placement) and state.referral_id:
        body["referral_id"] = state.referral_id
    if isinstance(state, Training) and partner != state.home:
        del body["home"]
    if _is_employer(state, partner):
        body = {name: value for name, value in body.items() if name not in _HIDDEN_FROM_EMPLOYER[type(state)]}
    return Answer(body, status, version=state.version)
