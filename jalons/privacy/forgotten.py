"""A service records each erasure it has applied under the erasure's receipt, never under the person."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from sqlalchemy import Connection, Engine, select
from sqlalchemy.dialects.postgresql import insert

from jalons.database import transaction
from jalons.privacy.tables import forgotten
from jalons.web.identity import Principal, require
from jalons.web.problems import Problem


def note(conn: Connection, receipt_id: UUID, at: datetime) -> None:
    """Record an erasure in the transaction that applies it. The first time recorded stays."""
    conn.execute(insert(forgotten).values(receipt_id=receipt_id, at=at).on_conflict_do_nothing())


def forgotten_routes(engine: Engine) -> APIRouter:
    """`GET /forgotten/{receipt_id}`, from which referrals learns that an erasure is complete."""
    routes = APIRouter(tags=["operation"])

    @routes.get("/forgotten/{receipt_id}", summary="When this service applied an erasure (scope hub)")
    def applied(receipt_id: UUID, _caller: Annotated[Principal, Depends(require("hub"))]) -> dict[str, Any]:
        with transaction(engine) as conn:
            at = conn.scalar(select(forgotten.c.at).where(forgotten.c.receipt_id == receipt_id))
        if at is None:
            raise Problem(404, "not_found", "That erasure was not applied here yet.", "Ask again in a moment.")
        return {"receipt_id": str(receipt_id), "at": at.isoformat()}

    return routes
