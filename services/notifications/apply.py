"""From events to messages that are to go: one for each event, recipient and channel, whatever is redelivered.

Nothing is sent here: a message is a row, in the transaction that claims the event."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from jalons import clock
from jalons.messaging.outbox import Outbox
from jalons.privacy.disclosure import Alias, cut, parties
from jalons.privacy.sealing import derive, seal
from schemas import consent, partner
from schemas.envelope import Event
from schemas.topics import PATHWAYS
from services.notifications import ending, store, subscriptions
from services.notifications.domain.gate import PartnerRecord, is_news
from services.notifications.domain.told import COORDINATOR, letters, wanted
from services.notifications.store import Delivery
from services.notifications.subscriptions import Subscription

FACTS = (
    *("reply_by", "first_contact_on", "expected_on", "started_on", "planned_start", "planned_end", "ended_on", "since"),
    *("contact", "number", "about", "months", "reported_by"),
)
"""The open facts that a mail may say: dates, who calls whom, which reminder it is, what is asked for, and who
recorded it. Nothing else of an event reaches a mail."""

_PATHS = {"referral": "referrals", "training": "trainings", "placement": "placements"}


class Told:
    """The service's apply. secret: the hub's secret key; alias: a partner's alias of a person; coordinator: whether
    there is a mailbox for her."""

    def __init__(
        self,
        secret: str,
        alias: Alias,
        outbox: Outbox,
        now: Callable[[], datetime] = clock.now,
        *,
        coordinator: bool = False,
    ) -> None:
        self._alias = alias
        self._outbox = outbox
        self._also = {COORDINATOR: COORDINATOR} if coordinator else {}
        self._bodies = derive(secret, "webhook-bodies")
        self._persons = derive(secret, "deliveries")
        self._now = now

    def __call__(self, conn: Connection, events: Sequence[Event], *, publish: bool = True) -> None:
        """Apply a batch. Without `publish` nobody is told: only the directory is kept."""
        now = self._now()
        records = {
            event.data.slug: _record(event.data) for event in events if isinstance(event.data, partner.PartnerRecord)
        }
        store.put_partners(conn, list(records.values()), now)
        if not publish:
            return
        asked = subscriptions.live(conn)
        going = [each for event in events for each in self._webhooks(event, asked)]
        late: list[Delivery] = []
        for event in events:
            (going if is_news(event.recorded, now) else late).extend(self._emails(event))
        store.add(conn, going, now)
        ends = store.add_suppressed(conn, late, "too_old", now)
        for event in events:
            if isinstance(event.data, consent.WithdrawnV1):
                ends += store.suppress(conn, self._person(event.subject), event.data.partners)
        ending.say(conn, self._outbox, ends, now)

    def _webhooks(self, event: Event, asked: Sequence[Subscription]) -> Iterator[Delivery]:
        for subscription in asked:
            if wanted(subscription.types, event.type):
                seen = cut(event, subscription.partner, self._alias)
                if seen is not None:
                    yield self._webhook(event, subscription, seen)

    def _emails(self, event: Event) -> Iterator[Delivery]:
        if event.data.TOPIC != PATHWAYS or getattr(event.data, "answered_by", None):
            return  # the training or placement that starts in the same commit tells it: nothing is said twice
        for letter in letters(event.type, parties(event) | self._also, event.partner):
            yield Delivery(
                delivery_id=delivery_id(event.id, "email", letter.recipient),
                event_id=event.id,
                about_type=event.type,
                channel="email",
                recipient=letter.recipient,
                contact=letter.contact,
                trial=_trial(event),
                correlation=event.correlation,
                traceparent=event.traceparent,
                reference=_reference(event),
                facts=_facts(event) | {"role": letter.role},
                person=self._person(event.subject),
            )

    def _webhook(self, event: Event, subscription: Subscription, seen: dict[str, Any]) -> Delivery:
        given = seen if subscription.mode == "full" else {name: seen[name] for name in ("id", "type", "time")}
        own_id = delivery_id(event.id, "webhook", subscription.partner, subscription.name)
        return Delivery(
            delivery_id=own_id,
            event_id=event.id,
            about_type=event.type,
            channel="webhook",
            recipient=subscription.partner,
            subscription=subscription.name,
            trial=_trial(event),
            correlation=event.correlation,
            traceparent=event.traceparent,
            reference=_reference(event),
            body=sealed_body(self._bodies, own_id, given),
            person=self._person(event.subject) if event.data.TOPIC == PATHWAYS else None,
        )

    def _person(self, ref: str) -> bytes:
        return hmac.digest(self._persons, ref.encode(), hashlib.sha256)


def delivery_id(event_id: UUID, channel: str, recipient: str, subscription: str | None = None) -> UUID:
    """The id of a message, the same each time it is derived."""
    return clock.derived_id(event_id, f"{channel}|{recipient}|{subscription or ''}")


def sealed_body(key: bytes, own_id: UUID, given: dict[str, Any]) -> str:
    """A webhook's body as it is kept: it may hold what is sealed on the bus. key: the hub's, for bodies."""
    clear = json.dumps(given, ensure_ascii=False, separators=(",", ":")).encode()
    return seal(key, clear, str(own_id))


def _reference(event: Event) -> str | None:
    return getattr(event.data, "reference", None)


def _trial(event: Event) -> bool:
    return bool(getattr(event.data, "trial", False))


def _facts(event: Event) -> dict[str, Any]:
    """What a mail may say, as JSON; `path` is the address under which the parties find the record."""
    data = event.data.model_dump(mode="json", exclude_none=True, include=set(FACTS))
    noun = _PATHS[event.type.split(".")[1]]
    return data | {"path": f"/{noun}/{_reference(event)}"}


def _record(data: partner.PartnerRecord) -> PartnerRecord:
    fields = {name: getattr(data, name) for name in PartnerRecord.__slots__}
    return PartnerRecord(**fields)
