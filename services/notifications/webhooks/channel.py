"""The webhook channel: the body is sealed when the event comes, and signed anew for each attempt."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection
from standardwebhooks import Webhook

from jalons.privacy.own_ids import minute_of
from jalons.privacy.sealing import Unsealable, derive, seal, unseal
from services.notifications.deliveries.channel import Send
from services.notifications.deliveries.gate import Goes, Never, Waits, webhook_gate
from services.notifications.deliveries.queue import Due
from services.notifications.webhooks import rows as subscriptions
from services.notifications.webhooks.client import WebhookClient


class WebhookChannel:
    """Signed calls to the URLs that partners subscribed. secret: the hub's secret key."""

    name = "webhook"

    def __init__(self, secret: str, client: WebhookClient) -> None:
        self._bodies = derive(secret, "webhook-bodies")
        self._secrets = derive(secret, "webhook-secrets")
        self._client = client

    def prepare(self, conn: Connection, due: Due, now: datetime) -> Send | Waits | Never:
        """The call, signed with every secret that is valid now."""
        delivery = due.delivery
        name = delivery.subscription or ""
        subscription = subscriptions.find(conn, delivery.recipient, name, lock="share")
        status = subscription.status if subscription else None
        gate = webhook_gate(due.recipient, status, trial=delivery.trial, waited=now - due.since)
        if not isinstance(gate, Goes) or subscription is None:
            return gate if not isinstance(gate, Goes) else Never("unexpected")
        try:
            body = unseal(self._bodies, delivery.body or "", str(delivery.delivery_id))
            secrets = subscriptions.signing_secrets(conn, self._secrets, delivery.recipient, name, now)
        except Unsealable:
            return Never("secret_unreadable")
        headers = signed(str(delivery.delivery_id), body, secrets, now, cloud_event="specversion" in json.loads(body))
        url = subscription.url
        return lambda: self._client.post(url, headers, body)

    def disconnect(self) -> None:
        """Nothing is held open: each call is a connection of its own."""


def sealed_body(key: bytes, delivery_id: UUID, body: dict[str, Any]) -> str:
    """A webhook's body as it is kept: it may hold what is sealed on the bus. key: the hub's, for bodies."""
    clear = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return seal(key, clear, str(delivery_id))


def signed(message_id: str, body: bytes, secrets: list[str], now: datetime, *, cloud_event: bool) -> dict[str, str]:
    """The headers of Standard Webhooks, with a signature by each secret."""
    at = minute_of(now.astimezone(UTC))  # receivers accept five minutes
    signatures = [Webhook(secret).sign(message_id, at, body.decode()) for secret in secrets]
    return {
        "content-type": "application/cloudevents+json" if cloud_event else "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
