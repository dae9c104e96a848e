"""A partner's own table over HTTP: checked in one call, worked off behind it, a result for each row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse
from pydantic import Field, RootModel, ValidationError
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from jalons.clock import new_id
from jalons.privacy.references import normalise
from jalons.web.problems import Problem
from services.referrals import refusals
from services.referrals.calls.bodies import ReferralBody, Text
from services.referrals.calls.edge import Answer, Edge, call, partner_of
from services.referrals.calls.paging import Limit, paged
from services.referrals.codes import rows as finer
from services.referrals.codes.http import labelled
from services.referrals.imports import rows as store
from services.referrals.imports import sheet as sheets
from services.referrals.imports.commands import Importer, waiting
from services.referrals.imports.rows import Import, Outcome, Waiting
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


class MappingBody(RootModel[dict[Text, Literal["-"] | Annotated[str, Field(pattern="^[a-z_]{2,20}$")]]]):
    """`PUT /imports/mapping`: heading → field, or `-` to leave the column out."""


def form(said: bytes) -> Mapping[str, Any]:
    """What a row said, as the body of `POST /referrals` gives it."""
    return ReferralBody.model_validate_json(said).model_dump()


def routes(edge: Edge, importer: Importer, key: bytes) -> APIRouter:
    """`/imports`. key: under which rows wait."""
    router = APIRouter(tags=["imports"])

    @router.post("/imports", summary="Refer persons from your own table", status_code=202, openapi_extra=_FILE)
    async def take_on(request: Request, caller: Creates) -> JSONResponse:
        content, dry_run = await _given(request)

        def kept(work: Work) -> Answer:
            new = Import(new_id(), work.call.partner, work.call.principal.client_id, dry_run, work.call.now, None)
            try:
                rows, refused = _rows(work, key, new, content)
            except sheets.NotTaken as error:
                raise Problem(422, error.code, error.cause, error.cure) from None
            store.add(work.conn, new, rows, refused)
            return Answer({"import_id": new.id, "dry_run": dry_run, "rows": len(rows) + len(refused)}, 202)

        answer = await run_in_threadpool(edge, caller, kept)
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

        def kept(work: Work) -> Answer:
            store.keep_mapping(work.conn, work.call.partner, body.root)
            return Answer(dict(body.root))

        return edge(caller, kept)

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


def _rows(work: Work, key: bytes, new: Import, content: bytes) -> tuple[list[Waiting], list[Outcome]]:
    """The file's rows that can be worked off, and those that their form refuses. Raises sheets.NotTaken."""
    sheet = sheets.read(content)
    where = sheets.columns(sheet, store.mapping(work.conn, new.partner))
    labels = {**_labels(), "reason": {**_labels()["reason"], **_finer(work.conn, "reason")}}
    rows: list[Waiting] = []
    refused: list[Outcome] = []
    for number, cells in sheet.rows:
        if came_back := sheets.answered(cells, where):
            refused.append(_already(number, came_back))
            continue
        try:
            body = ReferralBody.model_validate(sheets.referral(cells, where, labels))
        except ValidationError as error:
            refused.append(_ill_formed(number, error))
        except Problem as problem:
            refused.append(Outcome(number, "refused", None, problem.code, problem.detail, problem.cure))
        else:
            if body.person and body.person.local_ref:
                rows.append(waiting(key, new, number, body.model_dump_json(exclude_none=True).encode()))
            else:
                refused.append(_nameless(number))
    return rows, refused


@cache
def _labels() -> sheets.Labels:
    lists = labelled("fr")
    return {
        field: {sheets.plain(each["label"]): each["code"] for each in lists[name]}
        for field, name in sheets.LIST_OF.items()
    }


def _finer(conn: Connection, field: str) -> dict[str, str]:
    """The labels of the network's own codes for a field."""
    return {
        sheets.plain(row["label"]): row["code"] for row in finer.known(conn) if row["list"] == sheets.LIST_OF[field]
    }


def _ill_formed(number: int, error: ValidationError) -> Outcome:
    """The first field that the form refuses; never what stood in it."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    at = next((str(part) for part in reversed(first["loc"]) if isinstance(part, str)), "row")
    said = "it is missing" if first["type"] == "missing" else "it holds no value the hub knows"
    return Outcome(number, "refused", None, "invalid", f"{at}: {said}.", "Correct the cell, and import the file again.")


def _already(number: int, said: str) -> Outcome:
    """A row of a table that came back from the hub: it is a referral, and is left alone."""
    reference = normalise(said)
    if reference is None:
        cause = "ref: it is no reference such as R-7K4M-2QX."
        return Outcome(number, "refused", None, "invalid", cause, "Leave the cell of a new row empty.")
    return Outcome(number, "already_done", reference)


def _nameless(number: int) -> Outcome:
    return Outcome(
        number,
        "refused",
        None,
        "local_ref_missing",
        "The row has no dossier number.",
        "Give it yours: without one the row could be done twice.",
    )


async def _given(request: Request) -> tuple[bytes, bool]:
    """The file and whether it is only checked. Raises Problem 422."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise refusals.invalid("file", "send multipart/form-data with a part named file")
    async with request.form(max_files=1, max_fields=2) as parts:
        file, said = parts.get("file"), parts.get("dry_run", "false")
        if not isinstance(file, UploadFile) or not isinstance(said, str):
            raise refusals.invalid("file", "the part is missing")
        try:
            dry_run = json.loads(said.lower())
        except ValueError:
            dry_run = None
        if not isinstance(dry_run, bool):
            raise refusals.invalid("dry_run", "true or false")
        return await file.read(), dry_run
