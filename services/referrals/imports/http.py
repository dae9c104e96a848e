"""Imports over HTTP: a partner's table is checked in the call, then imported in the background, row by row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from jalons.clock import random_id
from jalons.privacy.references import normalise
from jalons.web.problems import Problem
from services.referrals import refusals
from services.referrals.acts.bodies import ReferralBody
from services.referrals.calls.edge import Answer, Edge, call, partner_of
from services.referrals.calls.paging import Limit, paged
from services.referrals.codes import rows as finer
from services.referrals.codes.http import labelled
from services.referrals.imports import rows as store
from services.referrals.imports import sheet as sheets
from services.referrals.imports.bodies import MappingBody
from services.referrals.imports.commands import Importer, pending
from services.referrals.imports.rows import Import, PendingRow, RowOutcome
from services.referrals.work import Call, Work

Importing = Annotated[Call, Depends(call("partner"))]
Creates = Annotated[Call, Depends(call("partner", keyed=True))]

_FILE = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary", "description": "CSV or XLSX, 20 MB at most"},
                        "dry_run": {"type": "boolean", "description": "check every row, and do nothing"},
                    },
                }
            }
        },
    }
}


def form(content: bytes) -> Mapping[str, Any]:
    """The content of a row as the fields of `POST /referrals`."""
    return ReferralBody.model_validate_json(content).model_dump()


def routes(edge: Edge, importer: Importer, key: bytes) -> APIRouter:
    """`/imports`. key: what pending rows are sealed with."""
    router = APIRouter(tags=["imports"])

    @router.post("/imports", summary="Refer persons from your own table", status_code=202, openapi_extra=_FILE)
    async def take_on(request: Request, caller: Creates) -> JSONResponse:
        content, dry_run = await _file(request)

        def add(work: Work) -> Answer:
            new = Import(random_id(), work.call.partner, work.call.principal.client_id, dry_run, work.call.now, None)
            try:
                rows, settled = _rows(work, key, new, content)
            except sheets.NotTaken as error:
                raise Problem(422, error.code, error.cause, error.cure) from None
            store.add(work.conn, new, rows, settled)
            return Answer({"import_id": new.id, "dry_run": dry_run, "rows": len(rows) + len(settled)}, 202)

        answer = await run_in_threadpool(edge, caller, add)
        importer.wake()
        return answer

    @router.get("/imports/fields", summary="The columns a table may have, and the headings known for each")
    def fields(_caller: Importing) -> dict[str, list[str]]:
        return {name: list(known) for name, known in sheets.HEADINGS.items()}

    @router.get("/imports/mapping", summary="What your own headings mean")
    def mapping(caller: Importing) -> JSONResponse:
        return edge.read(lambda conn: Answer(dict(store.mapping(conn, partner_of(caller.principal)))))

    @router.put("/imports/mapping", summary="Say what your own headings mean")
    def map_headings(body: MappingBody, caller: Importing) -> JSONResponse:
        wrong = sorted(
            {field for field in body.root.values() if field != sheets.IGNORED and field not in sheets.HEADINGS}
        )
        if wrong:
            raise refusals.invalid(wrong[0], "no field of that name; see GET /imports/fields")

        def keep(work: Work) -> Answer:
            store.keep_mapping(work.conn, work.call.partner, body.root)
            return Answer(dict(body.root))

        return edge(caller, keep)

    @router.get("/imports/{import_id}", summary="How far an import is, and what became of each row")
    def one(
        import_id: UUID,
        caller: Importing,
        outcome: Literal["done", "already_done", "refused"] | None = None,
        cursor: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
        limit: Limit = 100,
    ) -> JSONResponse:
        def found(conn: Connection) -> Answer:
            known = store.shown(conn, import_id, partner_of(caller.principal))
            if known is None:
                raise refusals.not_found("import")
            page = paged(store.outcomes(conn, import_id, outcome, cursor, limit), limit, lambda row: str(row["row"]))
            return Answer(known | {"status": "finished" if known["finished"] else "working"} | page.body)

        return edge.read(found)

    return router


def _rows(work: Work, key: bytes, new: Import, content: bytes) -> tuple[list[PendingRow], list[RowOutcome]]:
    """The file's rows that can be imported, and the outcomes of all others. Raises sheets.NotTaken."""
    sheet = sheets.read(content)
    where = sheets.columns(sheet, store.mapping(work.conn, new.partner))
    labels = {**_labels(), "reason": {**_labels()["reason"], **_finer(work.conn, "reason")}}
    rows: list[PendingRow] = []
    settled: list[RowOutcome] = []
    for number, cells in sheet.rows:
        if came_back := sheets.answered(cells, where):
            settled.append(_returned(number, came_back))
            continue
        try:
            body = ReferralBody.model_validate(sheets.referral(cells, where, labels))
        except ValidationError as error:
            settled.append(_ill_formed(number, error))
        except Problem as problem:
            settled.append(RowOutcome(number, "refused", None, problem.code, problem.detail, problem.cure))
        else:
            if body.person and body.person.local_ref:
                rows.append(pending(key, new, number, body.model_dump_json(exclude_none=True).encode()))
            else:
                settled.append(_without_local_ref(number))
    return rows, settled


@cache
def _labels() -> sheets.Labels:
    lists = labelled("fr")
    return {
        field: {sheets.plain(each["label"]): each["code"] for each in lists[name]}
        for field, name in sheets.LIST_OF.items()
    }


def _finer(conn: Connection, field: str) -> dict[str, str]:
    """The labels of the network's finer codes for a field."""
    return {
        sheets.plain(row["label"]): row["code"] for row in finer.every(conn) if row["list"] == sheets.LIST_OF[field]
    }


def _ill_formed(number: int, error: ValidationError) -> RowOutcome:
    """The outcome that names the first invalid field, but not its content."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    field = next((str(part) for part in reversed(first["loc"]) if isinstance(part, str)), "row")
    problem = "it is missing" if first["type"] == "missing" else "it holds no value the hub knows"
    return RowOutcome(
        number, "refused", None, "invalid", f"{field}: {problem}.", "Correct the cell, and import the file again."
    )


def _returned(number: int, cell: str) -> RowOutcome:
    """The outcome of a row that the hub exported: it is a referral already."""
    reference = normalise(cell)
    if reference is None:
        cause = "ref: it is no reference such as R-7K4M-2QX."
        return RowOutcome(number, "refused", None, "invalid", cause, "Leave the cell of a new row empty.")
    return RowOutcome(number, "already_done", reference)


def _without_local_ref(number: int) -> RowOutcome:
    return RowOutcome(
        number,
        "refused",
        None,
        "local_ref_missing",
        "The row has no dossier number.",
        "Give it yours: without one the row could be done twice.",
    )


async def _file(request: Request) -> tuple[bytes, bool]:
    """The file, and whether it is only to be checked. Raises Problem 422."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise refusals.invalid("file", "send multipart/form-data with a part named file")
    async with request.form(max_files=1, max_fields=2) as parts:
        file, flag = parts.get("file"), parts.get("dry_run", "false")
        if not isinstance(file, UploadFile) or not isinstance(flag, str):
            raise refusals.invalid("file", "the part is missing")
        try:
            dry_run = json.loads(flag.lower())
        except ValueError:
            dry_run = None
        if not isinstance(dry_run, bool):
            raise refusals.invalid("dry_run", "true or false")
        return await file.read(), dry_run
