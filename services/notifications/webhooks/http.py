"""`/subscriptions`: a partner manages its own; a secret is shown once, when it is created."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import Connection, Engine

from jalons.clock import random_id
from jalons.database import transact, transaction
from jalons.privacy.sealing import derive
from jalons.web.identity import Principal, require
from jalons.web.problems import Problem, refuse_unsafe_text
from schemas.catalogue import TYPES
from schemas.codes import Slug
from services.notifications.deliveries import rows
from services.notifications.deliveries.causes import CAUSES
from services.notifications.deliveries.rows import delivery_id
from services.notifications.routing.rules import subscribed
from services.notifications.webhooks import rows as subscriptions
from services.notifications.webhooks.channel import sealed_body
from services.notifications.webhooks.client import WebhookClient
from services.notifications.webhooks.rows import Subscription

TEST_TYPE = "jalons.subscription.test.v1"
_MOST = 20

Partner = Annotated[Principal, Depends(require("partner"))]
Name = Annotated[Slug, Path(description="as the partner names it: `dossiers`")]
TypePattern = Annotated[
    str,
    StringConstraints(pattern=r"^(\*|jalons\.[a-z0-9_.*]+)$", max_length=100),
    Field(examples=["jalons.referral.*"]),
]


class SubscriptionRequest(BaseModel):
    """Which events to send to which URL."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"url": "https://partner.example/jalons", "types": ["jalons.referral.*"], "mode": "full"}]
        },
    )

    url: Annotated[str, Field(max_length=2000, description="https, reachable from the internet")]
    types: Annotated[list[TypePattern], Field(min_length=1, max_length=50, description="types; `*` at any place")]
    mode: Literal["full", "id_only"] = "full"


class SubscriptionInfo(BaseModel):
    """A subscription; cause and cure say why it is disabled."""

    name: str
    url: str
    types: list[str]
    mode: Literal["full", "id_only"]
    status: Literal["active", "paused", "disabled"]
    code: str | None = None
    cause: str | None = None
    cure: str | None = None
    made: datetime
    changed: datetime
    matches_nothing_yet: list[str] = Field(description="types for which the hub has no event so far")


class SubscriptionSaved(SubscriptionInfo):
    """secret: shown at creation only."""

    secret: str | None = None
    secret_already_shown: bool


class SecretRotated(BaseModel):
    """The previous secret also signs until then."""

    secret: str
    old_secret_signs_until: datetime


class TestQueued(BaseModel):
    """GET /deliveries/{delivery_id} says whether it arrived."""

    delivery_id: str


def subscription_routes(engine: Engine, secret: str, client: WebhookClient, now: Callable[[], datetime]) -> APIRouter:
    """`/subscriptions`. secret: the hub's secret key."""
    routes = APIRouter(tags=["subscriptions"])
    key = derive(secret, "webhook-secrets")
    bodies = derive(secret, "webhook-bodies")
    ids = derive(secret, "delivery-ids")

    @routes.put("/subscriptions/{name}", summary="Subscribe a URL, or change the subscription", status_code=201)
    def put(principal: Partner, name: Name, wanted: SubscriptionRequest, response: Response) -> SubscriptionSaved:
        refuse_unsafe_text(wanted.model_dump())
        if cause := client.refusal(wanted.url):
            raise Problem(422, cause, CAUSES[cause].cause, CAUSES[cause].cure)
        partner = _partner(principal)

        def write(conn: Connection) -> tuple[Subscription, str | None]:
            kept, is_new = subscriptions.put(conn, partner, name, wanted.url, wanted.types, wanted.mode, now())
            if is_new and len(subscriptions.of_partner(conn, partner)) > _MOST:
                raise Problem(409, "too_many", f"A partner has at most {_MOST} subscriptions.", "Change one of them.")
            return kept, subscriptions.new_secret(conn, key, partner, name, now()) if is_new else None

        kept, made = transact(engine, write)
        response.status_code = 201 if made else 200
        return SubscriptionSaved(**_shown(kept), secret=made, secret_already_shown=made is None)

    @routes.get("/subscriptions", summary="The caller's subscriptions")
    def listed(principal: Partner) -> dict[str, list[SubscriptionInfo]]:
        with transaction(engine) as conn:
            found = subscriptions.of_partner(conn, _partner(principal))
        return {"items": [SubscriptionInfo(**_shown(each)) for each in found]}

    @routes.get("/subscriptions/{name}", summary="One subscription")
    def one(principal: Partner, name: Name) -> SubscriptionInfo:
        with transaction(engine) as conn:
            return SubscriptionInfo(**_shown(_found(conn, _partner(principal), name)))

    @routes.post("/subscriptions/{name}/pause", summary="Pause: messages wait until it is resumed")
    def pause(principal: Partner, name: Name) -> SubscriptionInfo:
        return transact(engine, lambda conn: _set(conn, _partner(principal), name, "paused", now()))

    @routes.post("/subscriptions/{name}/resume", summary="Resume; waiting messages are sent first")
    def resume(principal: Partner, name: Name) -> SubscriptionInfo:
        return transact(engine, lambda conn: _set(conn, _partner(principal), name, "active", now()))

    @routes.post(
        "/subscriptions/{name}/rotate-secret", summary="Create a new secret; the old one also signs for 24 hours"
    )
    def rotate(principal: Partner, name: Name) -> SecretRotated:
        def write(conn: Connection) -> SecretRotated:
            partner, at = _partner(principal), now()
            _found(conn, partner, name, lock=True)
            made = subscriptions.new_secret(conn, key, partner, name, at)
            return SecretRotated(secret=made, old_secret_signs_until=at + subscriptions.ROTATED_SECRET_SIGNS)

        return transact(engine, write)

    @routes.post("/subscriptions/{name}/test", summary="Send a signed test event now", status_code=202)
    def test(principal: Partner, name: Name) -> TestQueued:
        def write(conn: Connection) -> TestQueued:
            partner = _partner(principal)
            if _found(conn, partner, name).status != "active":
                raise Problem(
                    409, "not_active", "The subscription is not active.", "Resume it, or put it again, and test then."
                )
            delivery = _test_event(bodies, ids, partner, name, now())
            rows.add(conn, [delivery], now())
            return TestQueued(delivery_id=str(delivery.delivery_id))

        return transact(engine, write)

    return routes


def _test_event(key: bytes, ids: bytes, partner: str, name: str, at: datetime) -> rows.Delivery:
    event_id = random_id()
    own_id = delivery_id(ids, event_id, "webhook", partner, name)
    event = {
        "specversion": "1.0",
        "id": str(event_id),
        "source": "/services/notifications",
        "type": TEST_TYPE,
        "time": at.isoformat(),
        "datacontenttype": "application/json",
        "data": {"subscription": name},
    }
    return rows.Delivery(
        delivery_id=own_id,
        event_id=event_id,
        about_type=TEST_TYPE,
        channel="webhook",
        recipient=partner,
        subscription=name,
        trial=False,
        correlation=event_id,
        body=sealed_body(key, own_id, event),
    )


def _partner(principal: Principal) -> str:
    if principal.partner is None:
        raise Problem(403, "no_partner", "This client belongs to no partner.", "Ask with a partner's own client.")
    return principal.partner


def _found(conn: Connection, partner: str, name: str, *, lock: bool = False) -> Subscription:
    kept = subscriptions.find(conn, partner, name, lock="update" if lock else None)
    if kept is None:
        raise Problem(404, "not_found", "There is no subscription of that name.", "List them: GET /subscriptions.")
    return kept


def _set(conn: Connection, partner: str, name: str, status: str, at: datetime) -> SubscriptionInfo:
    kept = _found(conn, partner, name, lock=True)
    if kept.status == "disabled":
        raise Problem(
            409, "subscription_disabled", "The subscription is disabled.", CAUSES["subscription_disabled"].cure
        )
    if kept.status != status:
        subscriptions.set_status(conn, partner, name, status, None, at)
    return SubscriptionInfo(**_shown(_found(conn, partner, name)))


def _shown(kept: Subscription) -> dict[str, Any]:
    known = CAUSES[kept.cause] if kept.cause else None
    return {
        "name": kept.name,
        "url": kept.url,
        "types": kept.types,
        "mode": kept.mode,
        "status": kept.status,
        "code": kept.cause,
        "cause": known.cause if known else None,
        "cure": known.cure if known else None,
        "made": kept.made,
        "changed": kept.changed,
        "matches_nothing_yet": [each for each in kept.types if not any(subscribed([each], type_) for type_ in TYPES)],
    }
