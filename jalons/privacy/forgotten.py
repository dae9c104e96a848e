"""That a service has forgotten an erased person is kept by the erasure's receipt, never by the person."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from sqlalchemy import Connection, Engine

from jalons.database import execute, transaction
from jalons.web.identity import Principal, require
from jalons.web.problems import Problem


def note(conn: Connection, receipt_id: UUID, at: datetime) -> None:
    """In the transaction that forgets. The first time counts."""
    execute(conn, "INSERT INTO forgotten (receipt_id, at) VALUES (%s, %s) ON CONFLICT DO NOTHING", (receipt_id, at))


def forgotten_routes(engine: Engine) -> APIRouter:
    """`GET /forgotten/{receipt_id}`, for the receipt that referrals gives."""
    routes = APIRouter(tags=["operation"])

    @routes.get("/forgotten/{receipt_id}", summary="When this service applied an erasure (scope hub)")
    def applied(receipt_id: UUID, _caller: Annotated[Principal, Depends(require("hub"))]) -> dict[str, Any]:
        with transaction(engine) as conn:
            row = execute(conn, "SELECT at FROM forgotten WHERE receipt_id = %s", (receipt_id,)).fetchone()
        if row is None:
            raise Problem(404, "not_found", "That erasure was not applied here yet.", "Ask again in a moment.")
        return {"receipt_id": str(receipt_id), "at": row.at.isoformat()}

    return routes
