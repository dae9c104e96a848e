"""Imports over HTTP: a partner's table is checked in the call, then imported in the background, row by row."""

from __future__ import annotations

import json
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from jalons.clock import random_id
from services.referrals import refusals
from services.referrals.calls.edge import Answer, Edge, call, partner_of
from services.referrals.calls.paging import Limit, paged
from services.referrals.imports import reading, telling
from services.referrals.imports import rows as store
from services.referrals.imports import sheet as sheets
from services.referrals.imports.bodies import MappingBody
from services.referrals.imports.commands import Importer, pending
from services.referrals.imports.rows import Import
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


def routes(edge: Edge, importer: Importer, key: bytes) -> APIRouter:
    """`/imports`. key: what pending rows are sealed with."""
    router = APIRouter(tags=["imports"])
    files = reading.Files()

    @router.post("/imports", summary="Refer persons from your own table", status_code=202, openapi_extra=_FILE)
    async def take_on(request: Request, caller: Creates) -> JSONResponse:
        content, dry_run = await _file(request)
        partner, language = partner_of(caller.principal), telling.language_of(request.headers.get("accept-language"))
        mapping = await run_in_threadpool(edge.query, lambda conn: store.mapping(conn, partner))
        try:
            found = await files.read(content, mapping)
            sheet = await run_in_threadpool(reading.sheet, found)
        except sheets.NotTaken as refused:
            raise telling.problem(refused, language) from None
        beside = [telling.outside(line, column, language) for line, column in sheet.outside]

        def add(work: Work) -> Answer:
            new = Import(
                *(random_id(), work.call.partner, work.call.principal.client_id, dry_run, work.call.now, None),
                *(sheet.headings, sheet.outside),
            )
            store.add(work.conn, new, [pending(key, work.hub.alias, new, row) for row in sheet.rows])
            body = {"import_id": new.id, "dry_run": dry_run, "rows": len(sheet.rows)}
            return Answer(body | ({"outside": beside} if beside else {}), 202)

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
        request: Request,
        outcome: Literal["done", "already_done", "refused"] | None = None,
        cursor: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
        limit: Limit = 100,
    ) -> JSONResponse:
        language = telling.language_of(request.headers.get("accept-language"))

        def found(conn: Connection) -> Answer:
            known = store.shown(conn, import_id, partner_of(caller.principal))
            if known is None:
                raise refusals.not_found("import")
            headings, outside = known.pop("headings"), known.pop("outside")
            rows = store.outcomes(conn, import_id, outcome, cursor, limit)
            page = paged([telling.told(row, headings, language) for row in rows], limit, lambda row: str(row["row"]))
            if outside:
                known["outside"] = [telling.outside(line, column, language) for line, column in outside]
            return Answer(known | {"status": "finished" if known["finished"] else "working"} | page.body)

        return edge.read(found)

    return router


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
