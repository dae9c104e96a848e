"""Mails a partner the list of all that awaits its answer, once per request; referrals, which knows the list, asks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Engine

from jalons.database import transact
from jalons.privacy.sealing import derive
from jalons.web.identity import Principal, require
from schemas.codes import Reference, Slug
from services.notifications.deliveries import rows
from services.notifications.deliveries.rows import Delivery, delivery_id
from services.notifications.emails.messages import OPEN_ACTS

Hub = Annotated[Principal, Depends(require("hub"))]


class OpenAct(BaseModel):
    """An act that awaits an answer of the partner."""

    model_config = ConfigDict(extra="forbid")

    noun: Literal["referral", "training", "placement"]
    id: UUID
    reference: Reference


class OpenActs(BaseModel):
    """All that awaits a partner's answer. asked: id of the request, which is mailed once if repeated; more: whether
    there are more acts than listed."""

    model_config = ConfigDict(extra="forbid")

    asked: UUID
    partner: Slug
    acts: Annotated[list[OpenAct], Field(max_length=200)]
    more: bool = False


class Queued(BaseModel):
    """The mail, once made."""

    delivery_id: UUID


def open_acts_routes(engine: Engine, secret: str, now: Callable[[], datetime]) -> APIRouter:
    """`/waiting`. secret: the hub's secret key."""
    ids = derive(secret, "delivery-ids")
    routes = APIRouter(tags=["deliveries"])

    @routes.post("/waiting", summary="Mail a partner all that awaits its answer (scope hub)", status_code=202)
    def write(_hub: Hub, body: OpenActs) -> Queued:
        delivery = Delivery(
            delivery_id=delivery_id(ids, body.asked, "email", body.partner),
            event_id=body.asked,
            about_type=OPEN_ACTS,
            channel="email",
            recipient=body.partner,
            contact=body.partner,
            trial=False,
            correlation=body.asked,
            facts={"role": "partner", "acts": [each.model_dump(mode="json") for each in body.acts], "more": body.more},
        )
        transact(engine, lambda conn: rows.add(conn, [delivery], now()))
        return Queued(delivery_id=delivery.delivery_id)

    return routes
