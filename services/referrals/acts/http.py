"""The routes of referrals, trainings and placements: create, read, list, and one route per action of the tables."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import JSONResponse
from sqlalchemy import Connection

from jalons.privacy.aliases import name_for
from jalons.privacy.references import normalise
from jalons.web.identity import forbidden
from schemas.codes import PlacementStatus, ReferralStatus, TrainingStatus
from services.referrals import refusals
from services.referrals.acts import bodies as forms
from services.referrals.acts import commands, sending
from services.referrals.acts.late import late_ones
from services.referrals.acts.lifecycle import REFERRAL
from services.referrals.acts.reading import as_seen
from services.referrals.acts.rows import PLACEMENTS, REFERRALS, TRAININGS, Acts
from services.referrals.acts.rules import Act, Referral
from services.referrals.acts.sheets import ID, made, sees, sheet
from services.referrals.calls.bodies import Dated
from services.referrals.calls.edge import Again, Answer, Edge, call, partner_of
from services.referrals.calls.paging import Cursor, Limit, paged
from services.referrals.rerouting import commands as rerouting
from services.referrals.work import Call, Work

Partner = Annotated[Call, Depends(call("partner"))]
Reader = Annotated[Call, Depends(call("partner", "coordinator"))]
PartnerCreates = Annotated[Call, Depends(call("partner", keyed=True))]
IdOrReference = Annotated[str, Path(max_length=64, description="the id or the spoken reference")]
_UNSUCCESSFUL = ("declined", "expired")


ACTIONS: Mapping[str, Mapping[str, type[Dated]]] = {
    "referrals": {
        "receive": forms.ReceiveBody,
        "accept": forms.AcceptBody,
        "waitlist": forms.WaitlistBody,
        "decline": forms.DeclineBody,
        "redirect": forms.RedirectBody,
        "cancel": forms.StopBody,
        "start": forms.StartReferralBody,
        "complete": forms.CompleteReferralBody,
        "interrupt": forms.InterruptReferralBody,
        "reopen": forms.ReopenBody,
        "void": forms.VoidBody,
        "suggest": forms.SuggestBody,
    },
    "trainings": {
        "start": forms.StartBody,
        "attendance-falling": forms.Plain,
        "suspend": forms.StopBody,
        "resume": forms.Plain,
        "complete": forms.CompleteTrainingBody,
        "interrupt": forms.StopBody,
        "cancel": forms.StopBody,
    },
    "placements": {
        "confirm": forms.Plain,
        "refuse": forms.RefuseBody,
        "start": forms.StartBody,
        "cancel": forms.StopBody,
        "evaluate": forms.EvaluateBody,
        "end": forms.EndBody,
        "follow-up": forms.FollowUpBody,
    },
}
"""Noun → action → the body of its route."""

_COMMANDS = {"redirect": rerouting.redirect, "suggest": rerouting.suggest}
_COORDINATOR_ACTIONS = frozenset(row.action for row in REFERRAL if "coordinator" in row.by)


def routes(edge: Edge) -> APIRouter:
    """The routes of the three kinds of acts."""
    router = APIRouter()

    @router.post("/referrals", summary="Refer a person", status_code=201, tags=["referrals"])
    def send(body: forms.ReferralBody, caller: PartnerCreates) -> JSONResponse:
        return edge(
            caller,
            lambda work: made(work, sending.send_referral(work, body.model_dump())),
            again(edge, REFERRALS, caller),
        )

    @router.get("/referrals", summary="Your referrals, newest first; late ones (coordinator)", tags=["referrals"])
    def list_referrals(
        caller: Reader,
        box: Literal["received", "sent"] = "received",
        status: ReferralStatus | None = None,
        cursor: Cursor = None,
        limit: Limit = 50,
        late: Annotated[bool, Query(description="those nobody answered and the coordinator was told of")] = False,
    ) -> JSONResponse:
        if late:
            return edge.read(late_ones(caller, cursor, limit), caller)
        if not caller.principal.has("partner"):
            raise forbidden("partner")
        role = "recipient" if box == "received" else "referrer"
        return edge.read(_listed(edge, REFERRALS, role, caller, status, _id(cursor), limit), caller)

    @router.post("/trainings", summary="Plan a training", status_code=201, tags=["trainings"])
    def enrol(body: forms.TrainingBody, caller: PartnerCreates) -> JSONResponse:
        return edge(
            caller, lambda work: made(work, sending.enrol(work, body.model_dump())), again(edge, TRAININGS, caller)
        )

    @router.get("/trainings", summary="Your trainings, newest first", tags=["trainings"])
    def list_trainings(
        caller: Partner,
        box: Literal["operator", "home"] = "operator",
        status: TrainingStatus | None = None,
        cursor: UUID | None = None,
        limit: Limit = 50,
    ) -> JSONResponse:
        return edge.read(_listed(edge, TRAININGS, box, caller, status, cursor, limit), caller)

    @router.post("/placements", summary="Propose a placement", status_code=201, tags=["placements"])
    def propose(body: forms.PlacementBody, caller: PartnerCreates) -> JSONResponse:
        return edge(
            caller, lambda work: made(work, sending.propose(work, body.model_dump())), again(edge, PLACEMENTS, caller)
        )

    @router.get("/placements", summary="Your placements, newest first", tags=["placements"])
    def list_placements(
        caller: Partner,
        box: Literal["proposer", "employer", "home"] = "employer",
        status: PlacementStatus | None = None,
        cursor: UUID | None = None,
        limit: Limit = 50,
    ) -> JSONResponse:
        return edge.read(_listed(edge, PLACEMENTS, box, caller, status, cursor, limit), caller)

    stores: dict[str, Acts[Any]] = {"referrals": REFERRALS, "trainings": TRAININGS, "placements": PLACEMENTS}
    for noun, store in stores.items():
        _read_route(router, edge, noun, store)
        for action, form in ACTIONS[noun].items():
            _action_route(router, edge, noun, store, action, form)
    return router


def _read_route(router: APIRouter, edge: Edge, noun: str, store: Acts[Any]) -> None:
    def one(id: IdOrReference, caller: Reader) -> JSONResponse:  # noqa: A002 - the contract's name
        def found(conn: Connection) -> Answer:
            state = store.find(conn, act_named(id, noun))
            if state is None or commands.acting_as(caller, state) is None:
                raise refusals.not_found(noun.removesuffix("s"))
            answer = seen(conn, state, caller, edge)
            answer.body.update(_alternatives(conn, state, caller))
            return answer

        return edge.read(found, caller)

    router.add_api_route(f"/{noun}/{{id}}", one, methods=["GET"], summary=f"One of your {noun}", tags=[noun])


def _action_route(router: APIRouter, edge: Edge, noun: str, store: Acts[Any], action: str, form: type[Dated]) -> None:
    creates = action == "redirect"
    scopes = ("partner", "coordinator") if noun == "referrals" and action in _COORDINATOR_ACTIONS else ("partner",)

    def act(id: IdOrReference, caller: Call, body: Any = None) -> JSONResponse:  # noqa: A002 - the contract's name
        given = body.model_dump() if body is not None else {}

        def stepped(work: Work) -> Answer:
            if action in _COMMANDS:
                state: Act = _COMMANDS[action](work, act_named(id, noun), given)
            else:
                state = commands.step(work, store, act_named(id, noun), action, given)
            answer = made(work, state) if creates else seen(work.conn, state, caller, edge)
            answer.body.update(_alternatives(work.conn, state, caller))
            return answer

        return edge(caller, stepped, again(edge, store, caller))

    act.__annotations__ |= {"body": form | None, "caller": Annotated[Call, Depends(call(*scopes, keyed=creates))]}
    router.add_api_route(
        f"/{noun}/{{id}}/{action}",
        act,
        methods=["POST"],
        status_code=201 if creates else 200,
        summary=f"{action.capitalize().replace('-', ' ')} it",
        tags=[noun],
    )


def _alternatives(conn: Connection, state: Act, caller: Call) -> dict[str, Any]:
    """The offers that fit instead of an unsuccessful referral, for a reader who may see them."""
    reader = commands.acting_as(caller, state) or caller.partner
    if not isinstance(state, Referral) or state.status not in _UNSUCCESSFUL:
        return {}
    if not sees(state, "alternatives", reader):
        return {}
    return {"alternatives": rerouting.fitting(conn, state, caller.partner, caller.today)}


def _id(cursor: str | None) -> UUID | None:
    """The cursor of a list of acts, which is an id. Raises Problem 422."""
    try:
        return UUID(cursor) if cursor is not None else None
    except ValueError:
        raise refusals.invalid_cursor() from None


def _listed(
    edge: Edge, store: Acts[Any], role: str, caller: Call, status: str | None, cursor: UUID | None, limit: int
) -> Callable[[Connection], Answer]:
    partner = partner_of(caller.principal)

    def page(conn: Connection) -> Answer:
        found = store.page(conn, role, partner, status=status, before=cursor, limit=limit)
        rows = [_shown(state, caller, edge).body for state in as_seen(conn, found, partner, caller.now)]
        return paged(rows, limit, lambda row: str(row[ID[store.kind]]))

    return page


def act_named(text: str, noun: str) -> UUID | str:
    """The id or spoken reference in a path. Raises Problem 404."""
    try:
        return UUID(text)
    except ValueError:
        reference = normalise(text)
        if reference is None:
            raise refusals.not_found(noun.removesuffix("s")) from None
        return reference


def again(edge: Edge, store: Acts[Any], caller: Call) -> Again:
    """Shows an act to a caller that repeats the call that made or changed it, as GET shows it now."""

    def shown(conn: Connection, act_id: UUID) -> Answer | None:
        state = store.find(conn, act_id)
        if state is None or state.facts.get("erased"):
            return None
        answer = seen(conn, state, caller, edge)
        answer.body.update(_alternatives(conn, state, caller))
        return answer

    return shown


def seen(conn: Connection, state: Act, caller: Call, edge: Edge) -> Answer:
    """What GET shows of an act to a caller now. It is also the answer to an action."""
    return _shown(as_seen(conn, [state], caller.partner, caller.now)[0], caller, edge)


def _shown(state: Act, caller: Call, edge: Edge) -> Answer:
    """An act's sheet for a caller, which is a party or the coordinator."""
    partner = caller.partner
    named = name_for(partner, state.ref, state.home, edge.ground.alias)
    reader = commands.acting_as(caller, state) or partner
    return Answer(sheet(state, reader, named, caller.today), version=state.version, thing=state.id)
