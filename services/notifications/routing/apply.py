"""From events to messages that are to go: one for each event, recipient and channel, whatever is redelivered.

Nothing is sent here: a message is a row, in the transaction that claims the event."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from jalons import clock
from jalons.messaging.outbox import Outbox
from jalons.privacy import forgotten
from jalons.privacy.disclosure import Alias, cut, open_fields, parties, role_in
from jalons.privacy.sealing import derive, seal
from jalons.privacy.visibility import Role
from schemas import beneficiary, consent, partner
from schemas.envelope import Event
from schemas.topics import PATHWAYS
from services.notifications.deliveries import ending
from services.notifications.deliveries import rows as store
from services.notifications.deliveries.rows import Delivery
from services.notifications.routing.gate import PartnerRecord, is_news
from services.notifications.routing.rules import COORDINATOR, Letter, letters, wanted
from services.notifications.webhooks import rows as subscriptions
from services.notifications.webhooks.rows import Subscription

FACTS = (
    *("reply_by", "first_contact_on", "expected_on", "started_on", "planned_start", "planned_end", "ended_on", "since"),
    *("contact", "number", "about", "months", "reported_by"),
)
"""The open fields that a mail has a use for: dates, who calls whom, which reminder it is, what is asked for, and who
recorded it. A mail has those of them that its recipient sees; nothing else of an event reaches it."""

_NOUNS = {"R": "referral", "T": "training", "P": "placement"}
"""What a spoken reference is of, by its first letter."""


class Told:
    """The service's apply. secret: the hub's secret key; alias: a partner's alias of a person; forget_key: drops a
    person's key from the cache; coordinator: whether there is a mailbox for her."""

    def __init__(
        self,
        secret: str,
        alias: Alias,
        outbox: Outbox,
        forget_key: Callable[[str], None],
        now: Callable[[], datetime] = clock.now,
        *,
        coordinator: bool = False,
    ) -> None:
        self._alias = alias
        self._outbox = outbox
        self._forget_key = forget_key
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
        ends: list[store.End] = []
        going: list[Delivery] = []
        late: list[Delivery] = []
        for event in events:
            if isinstance(event.data, consent.ConsentEnded | beneficiary.ErasedV1):
                ends += self._keep(conn, going, late, now)  # it stops what came before it, not what follows
                going, late = [], []
                ends += self._stop(conn, event.subject, event.data, now)
            going += self._webhooks(event, asked)
            (going if is_news(event.recorded, now) else late).extend(self._emails(event))
        ends += self._keep(conn, going, late, now)
        ending.say(conn, self._outbox, ends, now)

    def _keep(
        self, conn: Connection, going: Sequence[Delivery], late: Sequence[Delivery], now: datetime
    ) -> list[store.End]:
        store.add(conn, going, now)
        return store.add_suppressed(conn, late, "too_old", now)

    def _stop(
        self, conn: Connection, ref: str, data: consent.ConsentEnded | beneficiary.ErasedV1, now: datetime
    ) -> list[store.End]:
        """What is pending under an agreement that ended, or all that there is of an erased person."""
        if isinstance(data, consent.ConsentEnded):
            return store.suppress(conn, self._person(ref), data.partners)
        store.forget(conn, self._person(ref))
        forgotten.note(conn, data.receipt_id, now)
        self._forget_key(ref)
        return []

    def _webhooks(self, event: Event, asked: Sequence[Subscription]) -> Iterator[Delivery]:
        for subscription in asked:
            if wanted(subscription.types, event.type):
                seen = cut(event, subscription.partner, self._alias)
                if seen is not None:
                    yield self._webhook(event, subscription, seen)

    def _emails(self, event: Event) -> Iterator[Delivery]:
        if event.data.TOPIC != PATHWAYS or getattr(event.data, "answered_by", None):
            return  # the training or placement that starts in the same commit tells it: nothing is said twice
        if isinstance(event.data, consent.ConsentEnded | beneficiary.ErasedV1):
            yield from map(partial(self._holder, event), event.data.holdings)
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
                facts=_facts(event, letter) | {"role": letter.role},
                person=self._person(event.subject),
            )

    def _holder(self, event: Event, held: consent.Holding) -> Delivery:
        """To a partner that holds something of a person."""
        return Delivery(
            delivery_id=delivery_id(event.id, "email", held.partner),
            event_id=event.id,
            about_type=event.type,
            channel="email",
            recipient=held.partner,
            contact=held.contact,
            trial=_trial(event),
            correlation=event.correlation,
            traceparent=event.traceparent,
            reference=", ".join(held.references),
            facts={"role": "employer" if held.as_employer else "holder", "path": _path(held.references[-1])},
            person=self._link(event),
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
            person=self._link(event),
        )

    def _link(self, event: Event) -> bytes | None:
        """By which a later event finds what is pending about a person; of one who is erased nothing is kept."""
        if event.data.TOPIC != PATHWAYS or isinstance(event.data, beneficiary.ErasedV1):
            return None
        return self._person(event.subject)

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


def _facts(event: Event, letter: Letter) -> dict[str, Any]:
    """What a mail may say, as JSON; `path` is the address under which the parties find the record, `act` its id."""
    role = Role.COORDINATOR if letter.role == COORDINATOR else role_in(event, letter.recipient)
    data = {name: value for name, value in open_fields(event, role).items() if name in FACTS}
    reference = _reference(event) or ""
    noun = _NOUNS[reference[:1]]
    return data | {"path": _path(reference), "act": str(getattr(event.data, f"{noun}_id"))}


def _path(reference: str) -> str:
    return f"/{_NOUNS[reference[:1]]}s/{reference}"


def _record(data: partner.PartnerRecord) -> PartnerRecord:
    fields = {name: getattr(data, name) for name in PartnerRecord.__slots__}
    return PartnerRecord(**fields)
