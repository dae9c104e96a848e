"""`/deliveries`: a partner sees its own, the coordinator and the operator all; nobody sees what they say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field
from sqlalchemy import Connection, Engine

from jalons.database import transact, transaction
from jalons.privacy.own_ids import OwnId, minute_of
from jalons.web.identity import Principal, require
from jalons.web.problems import Problem
from services.notifications.deliveries import rows
from services.notifications.deliveries.causes import CAUSES

Caller = Annotated[Principal, Depends(require("partner", "coordinator", "operator"))]
Status = Literal["pending", "waiting", "sent", "failed", "suppressed"]


class Attempt(BaseModel):
    """One attempt, its times to the minute; without an end while it runs, or if the hub stopped during it."""

    number: int
    began: datetime
    ended: datetime | None
    outcome: str | None
    code: str | None
    cause: str | None


class Delivery(BaseModel):
    """One message. event_id: the event's id as its recipient sees it. code, cause, cure: why it was not sent, or not
    yet. next_attempt: when it is tried again.

    The time it was made is not shown: messages to two partners about one person are made at the same instant.
    """

    delivery_id: UUID
    event_id: UUID
    type: str
    reference: str | None
    channel: Literal["email", "webhook"]
    recipient: str
    subscription: str | None
    status: Status
    next_attempt: datetime | None
    attempts: list[Attempt]
    code: str | None
    cause: str | None
    cure: str | None


class Page(BaseModel):
    """next: the `cursor` of the next page."""

    items: list[Delivery]
    next: str | None = Field(default=None)


def delivery_routes(engine: Engine, own: OwnId, now: Callable[[], datetime]) -> APIRouter:
    """`/deliveries`."""
    routes = APIRouter(tags=["deliveries"])

    @routes.get("/deliveries", summary="Messages, newest first, with their attempts")
    def listed(
        caller: Caller,
        status: Status | None = None,
        channel: Literal["email", "webhook"] | None = None,
        cursor: UUID | None = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> Page:
        try:
            with transaction(engine) as conn:
                found = rows.listed(
                    conn, recipient=_only(caller), status=status, channel=channel, before=cursor, limit=limit + 1
                )
        except rows.UnknownCursor:
            raise _unknown_cursor() from None
        page = found[:limit]
        more = len(found) > limit
        return Page(items=[_shown(row, own) for row in page], next=str(page[-1]["delivery_id"]) if more else None)

    @routes.get("/deliveries/{delivery_id}", summary="One message")
    def one(caller: Caller, delivery_id: UUID) -> Delivery:
        with transaction(engine) as conn:
            return _one(conn, caller, delivery_id, own)

    @routes.post("/deliveries/{delivery_id}/retry", summary="Try a message again now", status_code=202)
    def retry(caller: Caller, delivery_id: UUID) -> Delivery:
        def write(conn: Connection) -> Delivery:
            kept = rows.lock(conn, delivery_id)
            if kept is None or _only(caller) not in {None, kept.recipient}:
                raise _unknown()
            if kept.status in {"sent", "suppressed"}:
                raise Problem(
                    409,
                    "not_to_be_sent",
                    f"The message is {kept.status}.",
                    "Only a failed or waiting message is tried again.",
                )
            if not kept.whole:
                raise Problem(
                    409,
                    "message_destroyed",
                    "The message was given up, and its content was destroyed.",
                    "Read the events from GET /events of the service they came from.",
                )
            rows.retry(conn, delivery_id, now())
            return _one(conn, caller, delivery_id, own)

        return transact(engine, write)

    return routes


def _only(caller: Principal) -> str | None:
    """The recipient whose messages the caller may see; None for all."""
    if caller.has("coordinator", "operator"):
        return None
    if caller.partner is None:
        raise Problem(403, "no_partner", "This client belongs to no partner.", "Ask with a partner's own client.")
    return caller.partner


def _one(conn: Connection, caller: Principal, delivery_id: UUID, own: OwnId) -> Delivery:
    row = rows.shown(conn, delivery_id)
    if row is None or _only(caller) not in {None, row["recipient"]}:
        raise _unknown()
    return _shown(row, own)


def _unknown() -> Problem:
    return Problem(404, "not_found", "No message to you has this id.", "List them: GET /deliveries.")


def _unknown_cursor() -> Problem:
    return Problem(422, "invalid_cursor", "The cursor is not one this list gave.", "Begin again without a cursor.")


def _shown(row: dict[str, Any], own: OwnId) -> Delivery:
    open_ = row["status"] in {"pending", "waiting"}
    tried = row["attempts"] or row["status"] == "waiting"
    known = CAUSES.get(row["cause"] or "")
    return Delivery(
        delivery_id=row["delivery_id"],
        event_id=own(row["event_id"], row["recipient"]),
        type=row["about_type"],
        reference=row["reference"],
        channel=row["channel"],
        recipient=row["recipient"],
        subscription=row["subscription"],
        status=row["status"],
        next_attempt=minute_of(row["due_at"]) if open_ and tried and row["cause"] != "subscription_paused" else None,
        attempts=[_attempt(each) for each in row["attempts"]],
        code=row["cause"],
        cause=known.cause if known else None,
        cure=known.cure if known else None,
    )


def _attempt(row: dict[str, Any]) -> Attempt:
    known = CAUSES.get(row["cause"] or "")
    return Attempt(
        number=row["number"],
        began=minute_of(row["began"]),
        ended=minute_of(row["ended"]) if row["ended"] else None,
        outcome=row["outcome"],
        code=row["cause"],
        cause=known.cause if known else None,
    )
