"""The routes of persons and their agreements; only a person's home partner may use them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse
from sqlalchemy import Connection

from jalons.privacy.opaque_codes import NotOpaque, dossier_code, opaque
from jalons.web.problems import not_opaque
from services.referrals import refusals
from services.referrals.agreements import commands as agreements
from services.referrals.agreements import disclosures
from services.referrals.agreements import rows as agreement_rows
from services.referrals.agreements.bodies import ConsentBody
from services.referrals.agreements.rules import Consent
from services.referrals.calls.bodies import Body
from services.referrals.calls.edge import Answer, Edge, call, partner_of
from services.referrals.calls.paging import Limit, paged
from services.referrals.persons import commands
from services.referrals.persons import rows as persons
from services.referrals.persons.bodies import BeneficiaryBody, LeaveBody, PauseBody, ProfileChange, ResumeBody
from services.referrals.persons.rows import Person
from services.referrals.work import Call, Work

Home = Annotated[Call, Depends(call("partner"))]
Dossier = Annotated[
    str | None,
    Query(max_length=64, description="your own dossier number, or the hub's spoken code as somebody types it"),
]
ACTIONS: Mapping[str, type[Body]] = {"pause": PauseBody, "resume": ResumeBody, "leave": LeaveBody}
"""Action → the body of its route."""
HomeCreates = Annotated[Call, Depends(call("partner", keyed=True))]


def routes(edge: Edge) -> APIRouter:
    """`/beneficiaries` and its sub-resources."""
    router = APIRouter(tags=["persons"])

    @router.post("/beneficiaries", summary="Register a person, in bands", status_code=201)
    def register(body: BeneficiaryBody, caller: HomeCreates) -> JSONResponse:
        profile = body.profile.model_dump()
        return edge(
            caller,
            lambda work: _shown(commands.register(work, profile, body.local_ref, body.happened_on), 201),
            _again,
        )

    @router.get("/beneficiaries", summary="Your persons, or the one of a local_ref")
    def find(
        caller: Home,
        local_ref: Dossier = None,
        cursor: UUID | None = None,
        limit: Limit = 100,
    ) -> JSONResponse:
        home = partner_of(caller.principal)

        def page(conn: Connection) -> Answer:
            if local_ref is not None:
                known = persons.by_local_ref(conn, home, _stored(local_ref))
                return Answer({"items": [_person(known)] if known else []})
            found = persons.page(conn, home, cursor or UUID(int=0), limit)
            return paged([_person(each) for each in found], limit, lambda row: str(row["beneficiary"]))

        return edge.read(page, caller)

    @router.get("/beneficiaries/{beneficiary}", summary="One of your persons")
    def one(beneficiary: UUID, caller: Home) -> JSONResponse:
        return edge.read(lambda conn: _shown(_own(conn, beneficiary, caller)), caller)

    @router.put("/beneficiaries/{beneficiary}/profile", summary="Bring the bands up to date")
    def profile(beneficiary: UUID, body: ProfileChange, caller: Home) -> JSONResponse:
        given = body.profile.model_dump()

        def changed(work: Work) -> Answer:
            known = commands.own(work, beneficiary)
            work.expect(known.version)
            return _shown(commands.update_profile(work, known, given, body.happened_on))

        return edge(caller, changed, _again)

    @router.post("/beneficiaries/{beneficiary}/consents", summary="Record what the person agreed to", status_code=201)
    def consent(beneficiary: UUID, body: ConsentBody, caller: HomeCreates) -> JSONResponse:
        agreed = Consent(
            frozenset(body.partners),
            body.convention_id,
            frozenset(body.purposes),
            frozenset(body.attributes),
            body.expires_on,
        )

        def agreed_again(conn: Connection, consent_id: UUID) -> Answer | None:
            known = agreement_rows.find_consent(conn, consent_id)
            return Answer({"consent_id": consent_id}) if known else None

        def given(work: Work) -> Answer:
            consent_id = agreements.give(
                work, beneficiary, agreed, body.channel, body.evidence_ref, body.happened_on, body.replaces
            )
            return Answer({"consent_id": consent_id}, 201, thing=consent_id)

        return edge(caller, given, agreed_again)

    @router.get("/beneficiaries/{beneficiary}/consents", summary="What the person agreed to, withdrawn ones included")
    def consents(beneficiary: UUID, caller: Home) -> JSONResponse:
        def shown(conn: Connection) -> Answer:
            rows = agreement_rows.consent_rows(conn, _own(conn, beneficiary, caller).ref)
            return Answer({"items": [row | {"status": _status(row, caller.today)} for row in rows]})

        return edge.read(shown, caller)

    @router.delete("/beneficiaries/{beneficiary}/consents/{consent_id}", summary="The person takes it back")
    def withdraw(beneficiary: UUID, consent_id: UUID, caller: Home) -> JSONResponse:
        def withdrawn(work: Work) -> Answer:
            agreements.withdraw(work, beneficiary, consent_id)
            return Answer({"consent_id": consent_id, "status": "withdrawn"})

        return edge(caller, withdrawn)

    @router.get(
        "/beneficiaries/{beneficiary}/disclosures", summary="Who received which field, when, and what was withheld"
    )
    def disclosed(beneficiary: UUID, caller: Home) -> JSONResponse:
        return edge.read(
            lambda conn: Answer({"items": disclosures.of_person(conn, _own(conn, beneficiary, caller).ref)}), caller
        )

    for action, form in ACTIONS.items():
        _action_route(router, edge, action, form)
    return router


def _action_route(router: APIRouter, edge: Edge, action: str, form: type[Body]) -> None:
    def act(beneficiary: UUID, caller: Home, body: Any = None) -> JSONResponse:
        given = body.model_dump(exclude={"happened_on"}) if body is not None else {}
        on = body.happened_on if body is not None else None
        return edge(caller, lambda work: _shown(commands.step(work, beneficiary, action, given, on)), _again)

    act.__annotations__["body"] = form | None
    path = f"/beneficiaries/{{beneficiary}}/{action}"
    router.add_api_route(path, act, methods=["POST"], summary=f"The accompaniment: {action}")


def _stored(local_ref: str) -> str:
    """A dossier number as it is stored. Raises Problem 422 for what is none."""
    try:
        return dossier_code(local_ref) or opaque(local_ref)
    except NotOpaque as error:
        raise not_opaque("local_ref", error) from None


def _own(conn: Connection, named: UUID, caller: Call) -> Person:
    person = persons.find(conn, named, partner_of(caller.principal))
    if person is None or person.home != caller.partner:
        raise refusals.not_found("beneficiary")
    return person


def _status(row: Mapping[str, Any], today: date) -> str:
    """An agreement's status on a day: standing, replaced, withdrawn or expired."""
    if row["withdrawn"]:
        return "replaced" if row["replaced_by"] else "withdrawn"
    return "expired" if row["expired"] or (row["expires_on"] and row["expires_on"] < today) else "standing"


def _person(person: Person) -> dict[str, object]:
    return {
        "beneficiary": person.ref,
        "local_ref": person.local_ref,
        "profile": person.profile,
        "profile_version": person.profile_version,
        "status": person.status,
        "left_on": person.left_on,
        "version": person.version,
        "registered_at": person.registered,
    }


def _shown(person: Person, status: int = 200) -> Answer:
    return Answer(_person(person), status, version=person.version, thing=person.ref)


def _again(conn: Connection, ref: UUID) -> Answer | None:
    """The person to the home partner, which repeats a call."""
    person = persons.by_ref(conn, ref)
    return _shown(person) if person else None
