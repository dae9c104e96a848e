"""Partners, their clients, and conventions over HTTP; offers and communes are in offers_http.py."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path
from fastapi.responses import JSONResponse
from sqlalchemy import Connection

from schemas.codes import Slug
from services.referrals import refusals
from services.referrals.calls.edge import Answer, Edge, call
from services.referrals.calls.paging import Cursor, Limit, paged
from services.referrals.directory import commands
from services.referrals.directory import rows as directory
from services.referrals.directory.bodies import ClientBody, ConventionBody, PartnerBody, StatusBody
from services.referrals.identity import rows as identity
from services.referrals.work import Call, Work

Coordinator = Annotated[Call, Depends(call("coordinator"))]
CoordinatorCreates = Annotated[Call, Depends(call("coordinator", keyed=True))]
Reader = Annotated[Call, Depends(call("partner", "coordinator", "hub"))]
Name = Annotated[Slug, Path()]


def routes(edge: Edge) -> APIRouter:
    """`/partners` and `/conventions`."""
    router = APIRouter(tags=["directory"])
    router.include_router(_partners(edge))
    router.include_router(_conventions(edge))
    return router


def record(row: dict[str, Any], status: int = 200) -> Answer:
    """The answer that shows a row; its version is the ETag."""
    return Answer(row, status, version=row["version"])


def written(row: dict[str, Any], is_new: bool) -> Answer:
    """The answer to a PUT."""
    return record(row, 201 if is_new else 200)


def found(what: str, row: dict[str, Any] | None) -> Answer:
    """The answer that shows a row, if there is one. Raises Problem 404."""
    if row is None:
        raise refusals.not_found(what)
    return record(row)


def _partners(edge: Edge) -> APIRouter:
    router = APIRouter()

    @router.put("/partners/{partner}", summary="Write a partner's record (coordinator)", status_code=201)
    def put_partner(partner: Name, body: PartnerBody, caller: Coordinator) -> JSONResponse:
        return edge(caller, lambda work: written(*commands.put_partner(work, partner, body.model_dump())))

    @router.get("/partners", summary="The partners of the network")
    def list_partners(_caller: Reader, cursor: Cursor = None, limit: Limit = 100) -> JSONResponse:
        return edge.read(
            lambda conn: paged(directory.partners(conn, cursor or "", limit), limit, lambda row: str(row["slug"]))
        )

    @router.get("/partners/{partner}", summary="One partner")
    def get_partner(partner: Name, _caller: Reader) -> JSONResponse:
        return edge.read(lambda conn: found("partner", directory.partner(conn, partner)))

    @router.put("/partners/{partner}/status", summary="A partner enters, pauses or leaves (coordinator)")
    def put_status(partner: Name, body: StatusBody, caller: Coordinator) -> JSONResponse:
        return edge(caller, lambda work: record(commands.set_partner_status(work, partner, body.status)))

    @router.post("/partners/{partner}/clients", summary="A new client; its secret is shown once", status_code=201)
    def add_client(partner: Name, caller: CoordinatorCreates, body: ClientBody | None = None) -> JSONResponse:
        scopes = body.scopes if body else ["partner"]

        def made(work: Work) -> Answer:
            client_id, secret = commands.add_client(work, partner, scopes)
            return Answer({"client_id": client_id, "scopes": scopes}, 201, {"client_secret": secret})

        return edge(caller, made)

    @router.get("/partners/{partner}/clients", summary="A partner's clients, without secrets (coordinator)")
    def list_clients(partner: Name, _caller: Coordinator) -> JSONResponse:
        return edge.read(lambda conn: Answer({"items": identity.clients(conn, partner)}))

    @router.delete("/partners/{partner}/clients/{client_id}", summary="A client gets no token any more (coordinator)")
    def revoke(partner: Name, client_id: Annotated[str, Path(max_length=200)], caller: Coordinator) -> JSONResponse:
        def revoked(work: Work) -> Answer:
            if not identity.revoke(work.conn, partner, client_id, caller.now):
                raise refusals.not_found("client")
            return Answer({"client_id": client_id, "revoked": True})

        return edge(caller, revoked)

    return router


def _conventions(edge: Edge) -> APIRouter:
    router = APIRouter()

    @router.post("/conventions", summary="Sign a convention (coordinator)", status_code=201)
    def sign(body: ConventionBody, caller: CoordinatorCreates) -> JSONResponse:
        given = body.model_dump(by_alias=True)
        return edge(caller, lambda work: record(commands.sign_convention(work, given), 201))

    @router.get("/conventions", summary="The conventions you are a party of; for the coordinator, all")
    def list_conventions(caller: Reader, cursor: UUID | None = None, limit: Limit = 100) -> JSONResponse:
        party = None if caller.principal.has("coordinator", "hub") else caller.partner

        def page(conn: Connection) -> Answer:
            rows = directory.conventions(conn, party, cursor, limit)
            return paged(rows, limit, lambda row: str(row["convention_id"]))

        return edge.read(page)

    @router.get("/conventions/{convention_id}", summary="One convention")
    def get_convention(convention_id: UUID, caller: Reader) -> JSONResponse:
        def one(conn: Connection) -> Answer:
            row = directory.convention(conn, convention_id)
            yours = row and (caller.principal.has("coordinator", "hub") or caller.partner in row["parties"])
            return found("convention", row if yours else None)

        return edge.read(one)

    @router.post("/conventions/{convention_id}/{action}", summary="Suspend, resume or terminate (coordinator)")
    def step(
        convention_id: UUID, action: Literal["suspend", "resume", "terminate"], caller: Coordinator
    ) -> JSONResponse:
        return edge(caller, lambda work: record(commands.step_convention(work, convention_id, action)))

    return router
