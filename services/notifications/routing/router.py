"""Makes deliveries of events: one per event, recipient and channel, in the transaction that claims the event."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from jalons import clock
from jalons.messaging.outbox import Outbox
from jalons.privacy import forgotten
from jalons.privacy.disclosure import Alias, cut, open_fields, parties, role_in, speaks_by_the_front
from jalons.privacy.own_ids import OwnId
from jalons.privacy.sealing import derive
from jalons.privacy.visibility import Role
from schemas import beneficiary, consent, partner
from schemas.envelope import Event
from schemas.routing import ASKED, COORDINATOR, FRONT, HOLDERS
from schemas.topics import PATHWAYS
from services.notifications.deliveries import partners, rows
from services.notifications.deliveries.events import announce
from services.notifications.deliveries.gate import PartnerRecord
from services.notifications.deliveries.rows import Closed, Delivery, delivery_id
from services.notifications.routing.rules import Recipient, is_recent, recipients, subscribed
from services.notifications.webhooks import rows as subscriptions
from services.notifications.webhooks.channel import sealed_body
from services.notifications.webhooks.rows import Subscription

FACTS = (
    *("reply_by", "first_contact_on", "expected_on", "started_on", "planned_start", "planned_end", "ended_on", "since"),
    *("contact", "number", "about", "months", "reported_by"),
    *("ends_on", "cancelled_on", "agreement_ended"),
)
"""The open fields of an event that a mail has a use for: dates, who calls whom, the number of a reminder, what is
asked for, and who recorded it. A mail states those of them that its recipient may see."""

_NOUNS = {"R": "referral", "T": "training", "P": "placement"}
"""What a spoken reference refers to, by its first letter."""


class Router:
    """The service's apply. secret: the hub's secret key; alias: a partner's alias of a person; own: its id of an
    event; forget_key: drops a person's key from the cache; coordinator: whether she has a mailbox."""

    def __init__(
        self,
        secret: str,
        alias: Alias,
        own: OwnId,
        outbox: Outbox,
        forget_key: Callable[[str], None],
        now: Callable[[], datetime] = clock.now,
        *,
        coordinator: bool = False,
    ) -> None:
        self._alias = alias
        self._own = own
        self._outbox = outbox
        self._forget_key = forget_key
        self._coordinator = {COORDINATOR: COORDINATOR} if coordinator else {}
        self._bodies = derive(secret, "webhook-bodies")
        self._ids = derive(secret, "delivery-ids")
        self._persons = derive(secret, "deliveries")
        self._now = now

    def __call__(self, conn: Connection, events: Sequence[Event], *, publish: bool = True) -> None:
        """Apply a batch. Without `publish` only the directory is projected and nothing is sent."""
        now = self._now()
        records = {
            event.data.slug: _record(event.data) for event in events if isinstance(event.data, partner.PartnerRecord)
        }
        partners.put(conn, list(records.values()), now)
        if not publish:
            return
        enabled = subscriptions.enabled(conn)
        closed: list[Closed] = []
        new: list[Delivery] = []
        too_old: list[Delivery] = []
        for event in events:
            if isinstance(event.data, consent.CoverEnded | beneficiary.ErasedV1):
                closed += self._keep(
                    conn, new, too_old, now
                )  # it stops deliveries of earlier events, not of later ones
                new, too_old = [], []
                closed += self._stop(conn, event.subject, event.data, now)
            new += self._webhooks(event, enabled)
            (new if is_recent(event.recorded, now) else too_old).extend(self._emails(event))
        closed += self._keep(conn, new, too_old, now)
        announce(conn, self._outbox, closed, now)

    def _keep(
        self, conn: Connection, new: Sequence[Delivery], too_old: Sequence[Delivery], now: datetime
    ) -> list[Closed]:
        rows.add(conn, new, now)
        return rows.add_suppressed(conn, too_old, "too_old", now)

    def _stop(
        self, conn: Connection, ref: str, data: consent.CoverEnded | beneficiary.ErasedV1, now: datetime
    ) -> list[Closed]:
        """Stop what is open under an agreement that ended, or everything about an erased person."""
        if isinstance(data, consent.CoverEnded):
            return rows.suppress(conn, self._person(ref), data.partners)
        rows.forget(conn, self._person(ref))
        forgotten.note(conn, data.receipt_id, now)
        self._forget_key(ref)
        return []

    def _emails(self, event: Event) -> Iterator[Delivery]:
        if event.data.TOPIC != PATHWAYS or getattr(event.data, "answered_by", None):
            return  # the training or placement that starts in the same commit is mailed about instead
        if type(event.data) in HOLDERS:
            for holding in getattr(event.data, "holdings", ()):
                yield self._to_holder(event, holding)
        if type(event.data) in ASKED:
            yield self._to_home(event, event.data)
        for to in recipients(event.type, parties(event) | self._coordinator, event.partner):
            if _is_told_already(event, to.partner):
                continue
            contact, others = _contact(event, to)
            yield Delivery(
                **_about(event),
                delivery_id=delivery_id(self._ids, event.id, "email", to.partner),
                channel="email",
                recipient=to.partner,
                contact=contact,
                reference=_reference(event),
                facts=_facts(event, to) | others | {"role": to.role},
                person=self._person(event.subject),
            )

    def _to_holder(self, event: Event, holding: consent.Holding) -> Delivery:
        """To a partner that holds something of a person."""
        role = "employer" if holding.as_employer else "holder"
        act = {"noun": _NOUNS[holding.references[-1][:1]], "act": str(holding.act)} if holding.act else {}
        return Delivery(
            **_about(event),
            delivery_id=delivery_id(self._ids, event.id, "email", holding.partner),
            channel="email",
            recipient=holding.partner,
            contact=holding.contact,
            reference=", ".join(holding.references),
            facts={"role": role, **act},
            person=self._link(event),
        )

    def _to_home(self, event: Event, data: Any) -> Delivery:
        """To the home partner, about the partners that hold something under what ends."""
        references = [reference for holding in data.holdings for reference in holding.references]
        facts = {name: value for name, value in open_fields(event, Role.HOME).items() if name in FACTS}
        return Delivery(
            **_about(event),
            delivery_id=delivery_id(self._ids, event.id, "email", data.home),
            channel="email",
            recipient=data.home,
            contact=data.holdings[0].partner,
            reference=", ".join(references),
            facts=facts | {"role": "home"},
            person=self._person(event.subject),
        )

    def _webhooks(self, event: Event, enabled: Sequence[Subscription]) -> Iterator[Delivery]:
        for subscription in enabled:
            if subscribed(subscription.types, event.type):
                seen = cut(event, subscription.partner, self._alias, self._own)
                if seen is not None:
                    yield self._webhook(event, subscription, seen)

    def _webhook(self, event: Event, subscription: Subscription, seen: dict[str, Any]) -> Delivery:
        body = seen if subscription.mode == "full" else {name: seen[name] for name in ("id", "type", "time")}
        own_id = delivery_id(self._ids, event.id, "webhook", subscription.partner, subscription.name)
        return Delivery(
            **_about(event),
            delivery_id=own_id,
            channel="webhook",
            recipient=subscription.partner,
            subscription=subscription.name,
            reference=_reference(event),
            body=sealed_body(self._bodies, own_id, body),
            person=self._link(event),
        )

    def _link(self, event: Event) -> bytes | None:
        """By which a later event finds open deliveries about a person; None once the person is erased."""
        if event.data.TOPIC != PATHWAYS or isinstance(event.data, beneficiary.ErasedV1):
            return None
        return self._person(event.subject)

    def _person(self, ref: str) -> bytes:
        return hmac.digest(self._persons, ref.encode(), hashlib.sha256)


def _contact(event: Event, to: Recipient) -> tuple[str, dict[str, str]]:
    """The partner that a mail names, and the facts that say whose telephone it gives, and who is answered, if it is
    another."""
    if to.role == COORDINATOR or not speaks_by_the_front(event, to.partner):
        return to.contact, {} if to.answered == to.contact else {"answer": to.answered}
    calls = getattr(event.data, "employer_calls", "front")
    return FRONT, {"phone_of": to.contact} if calls == "proposer" else {}


def _about(event: Event) -> dict[str, Any]:
    """The fields of a delivery that say which event it is about."""
    return {
        "event_id": event.id,
        "about_type": event.type,
        "trial": bool(getattr(event.data, "trial", False)),
        "correlation": event.correlation,
        "traceparent": event.traceparent,
    }


def _reference(event: Event) -> str | None:
    return getattr(event.data, "reference", None)


def _facts(event: Event, to: Recipient) -> dict[str, Any]:
    """What a mail may state, as JSON; `noun` and `act` say which act, by its id."""
    role = Role.COORDINATOR if to.role == COORDINATOR else role_in(event, to.partner)
    data = {name: value for name, value in open_fields(event, role).items() if name in FACTS}
    reference = _reference(event) or ""
    noun = _NOUNS[reference[:1]]
    return data | {"noun": noun, "act": str(getattr(event.data, f"{noun}_id"))}


def _is_told_already(event: Event, partner: str) -> bool:
    """Whether the mail about the withdrawal itself tells a partner: it lists all that ended with it, once."""
    withdrawn = getattr(event.data, "agreement_ended", None) == "withdrawn"
    return withdrawn and partner in getattr(event.data, "uncovered", ())


def _record(data: partner.PartnerRecord) -> PartnerRecord:
    return PartnerRecord(**{name: getattr(data, name) for name in PartnerRecord.__slots__})
