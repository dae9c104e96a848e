"""The two channels: what must be known before a message goes, and what then goes out; nothing is sent in here."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy import Connection
from standardwebhooks import Webhook

from jalons.privacy.sealing import Unsealable, derive, unseal
from services.notifications.deliveries.outcome import Outcome
from services.notifications.deliveries.ports import Caller, Mailer
from services.notifications.deliveries.rows import Due
from services.notifications.emails.letters import Letters, NoAddress
from services.notifications.routing.gate import Goes, Never, PartnerRecord, Waits, email_gate, webhook_gate
from services.notifications.routing.rules import COORDINATOR
from services.notifications.webhooks import rows as subscriptions

Send = Callable[[], Outcome]
"""One attempt, outside of any transaction."""


class Channel(Protocol):
    """A way to tell a partner."""

    name: str

    def prepare(self, conn: Connection, due: Due, now: datetime) -> Send | Waits | Never:
        """What an attempt will do, from what is known now; or why there is none."""

    def rest(self) -> None:
        """This thread has nothing to send for now."""


class Emails:
    """Messages to partners' mailboxes, and to the coordinator's if there is one."""

    name = "email"

    def __init__(self, letters: Letters, mailer: Mailer, coordinator: str | None = None) -> None:
        self._letters = letters
        self._mailer = mailer
        self._coordinator = coordinator_record(coordinator) if coordinator else None

    def prepare(self, conn: Connection, due: Due, now: datetime) -> Send | Waits | Never:  # noqa: ARG002 - the role's signature
        """Recipient and other party, named as they are now."""
        delivery = due.delivery
        recipient, contact = due.recipient, due.contact
        if (delivery.facts or {}).get("role") == COORDINATOR:
            recipient = self._coordinator
        gate = email_gate(recipient, contact, trial=delivery.trial, waited=now - due.since)
        if not isinstance(gate, Goes) or recipient is None or contact is None:
            return gate if not isinstance(gate, Goes) else Never("unexpected")
        try:
            message = self._letters.write(delivery, recipient, contact, now)
        except NoAddress:
            return Never("mailbox_invalid")
        return lambda: self._mailer.send(message)

    def rest(self) -> None:
        """Hang up."""
        self._mailer.rest()


class Webhooks:
    """Signed calls to the addresses that partners subscribed. secret: the hub's secret key."""

    name = "webhook"

    def __init__(self, secret: str, caller: Caller) -> None:
        self._bodies = derive(secret, "webhook-bodies")
        self._secrets = derive(secret, "webhook-secrets")
        self._caller = caller

    def prepare(self, conn: Connection, due: Due, now: datetime) -> Send | Waits | Never:
        """The body as it was cut, signed anew for each attempt by every secret that counts now."""
        delivery = due.delivery
        name = delivery.subscription or ""
        asked = subscriptions.found(conn, delivery.recipient, name, "FOR SHARE")
        status = asked.status if asked else None
        gate = webhook_gate(due.recipient, status, trial=delivery.trial, waited=now - due.since)
        if not isinstance(gate, Goes) or asked is None:
            return gate if not isinstance(gate, Goes) else Never("unexpected")
        try:
            body = unseal(self._bodies, delivery.body or "", str(delivery.delivery_id))
            secrets = subscriptions.signing_secrets(conn, self._secrets, delivery.recipient, name, now)
        except Unsealable:
            return Never("secret_unreadable")
        headers = signed(str(delivery.delivery_id), body, secrets, now, whole="specversion" in json.loads(body))
        url = asked.url
        return lambda: self._caller.post(url, headers, body)

    def rest(self) -> None:
        """Nothing is open: each call is a connection of its own."""


def coordinator_record(mailbox: str) -> PartnerRecord:
    """What a letter must know of the coordinator, whom the directory does not know."""
    return PartnerRecord(
        slug=COORDINATOR,
        name="",
        mailbox=mailbox,
        phone="",
        phone_hours=None,
        language="fr",
        status="active",
        kind="association_chapitre_xii",
        trial=False,
    )


def signed(message_id: str, body: bytes, secrets: list[str], now: datetime, *, whole: bool) -> dict[str, str]:
    """The headers of Standard Webhooks, with a signature by each secret. whole: the body is a CloudEvent."""
    at = now.astimezone(UTC)
    signatures = [Webhook(secret).sign(message_id, at, body.decode()) for secret in secrets]
    return {
        "content-type": "application/cloudevents+json" if whole else "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
