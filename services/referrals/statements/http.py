"""The routes that read statements: each is readable by the partner that made it and by the person's home partner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import JSONResponse
from sqlalchemy import ColumnElement, Connection

from services.referrals import refusals
from services.referrals.calls.edge import Answer, Edge, call, partner_of
from services.referrals.calls.paging import Limit, paged
from services.referrals.persons import rows as persons
from services.referrals.statements.rows import S, Statements
from services.referrals.work import Call

Partner = Annotated[Call, Depends(call("partner"))]


def reading_routes(
    router: APIRouter,
    edge: Edge,
    store: Statements[S],
    shown: Callable[[S, str], dict[str, Any]],
    only: Callable[..., ColumnElement[bool] | None] = lambda: None,
) -> None:
    """Add `GET /{table}` and `GET /{table}/{id}`. shown: a statement as a partner may see it. only: a dependency that
    turns more parameters of the list into a condition."""

    def listed(
        caller: Partner,
        beneficiary: Annotated[UUID | None, Query(description="of this person only")] = None,
        cursor: UUID | None = None,
        limit: Limit = 50,
        condition: Any = None,
    ) -> JSONResponse:
        partner = partner_of(caller.principal)

        def page(conn: Connection) -> Answer:
            ref = persons.ref_of(conn, beneficiary, partner) if beneficiary else None
            if beneficiary and ref is None:
                raise refusals.not_found("beneficiary")
            found = store.page(conn, partner, ref, cursor, limit, condition)
            return paged([shown(each, partner) for each in found], limit, lambda row: str(row[store.key]))

        return edge.read(page, caller)

    def one(statement_id: UUID, caller: Partner) -> JSONResponse:
        partner = partner_of(caller.principal)

        def found(conn: Connection) -> Answer:
            statement = store.find(conn, statement_id, partner)
            if statement is None:
                raise refusals.not_found(store.noun)
            return Answer(shown(statement, partner))

        return edge.read(found, caller)

    one.__annotations__["statement_id"] = Annotated[UUID, Path(alias=store.key)]
    listed.__annotations__["condition"] = Annotated[Any, Depends(only)]
    path, summary = f"/{store.table.name}", "Those you said, and those said of your persons"
    router.add_api_route(path, listed, methods=["GET"], summary=summary)
    router.add_api_route(f"{path}/{{{store.key}}}", one, methods=["GET"], summary="One of them")
