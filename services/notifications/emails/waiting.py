"""Writes to a partner, once for each time it is asked, all that waits for it; asked by referrals, which knows it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Engine

from jalons.database import transact
from jalons.web.identity import Principal, require
from schemas.codes import Reference, Slug
from services.notifications.deliveries import rows as store
from services.notifications.deliveries.rows import Delivery
from services.notifications.emails.letters import WAITING
from services.notifications.routing.apply import delivery_id

Hub = Annotated[Principal, Depends(require("hub"))]


class Act(BaseModel):
    """One thing that waits."""

    model_config = ConfigDict(extra="forbid")

    noun: Literal["referral", "training", "placement"]
    id: UUID
    reference: Reference


class Asked(BaseModel):
    """What waits for a partner. asked: of the asking, told again it is written once. more: than is listed."""

    model_config = ConfigDict(extra="forbid")

    asked: UUID
    partner: Slug
    acts: Annotated[list[Act], Field(max_length=200)]
    more: bool = False


def waiting_routes(engine: Engine, now: Callable[[], datetime]) -> APIRouter:
    """`/waiting`."""
    routes = APIRouter(tags=["deliveries"])

    @routes.post("/waiting", summary="Write to a partner all that waits for it (the hub's own)", status_code=202)
    def write(_hub: Hub, body: Asked) -> None:
        letter = Delivery(
            delivery_id=delivery_id(body.asked, "email", body.partner),
            event_id=body.asked,
            about_type=WAITING,
            channel="email",
            recipient=body.partner,
            contact=body.partner,
            trial=False,
            correlation=body.asked,
            facts={"role": "partner", "acts": [each.model_dump(mode="json") for each in body.acts], "more": body.more},
        )
        transact(engine, lambda conn: store.add(conn, [letter], now()))

    return routes
