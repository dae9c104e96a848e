"""Whether a message may go now, by what is known of its recipient: it goes, waits for something, or never goes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

LOOKED_AT_AGAIN = timedelta(minutes=10)
"""A waiting message is looked at when its partner's record comes; this is the fallback."""
WAITS_MOST = timedelta(days=30)
NEWS_FOR = timedelta(days=7)
"""Longer than any reply is left to be asked for again, and than an outage over a long weekend. Beyond it a mail would
ask for what was done or dropped meanwhile: a log that is read anew must not write to everybody."""


@dataclass(frozen=True, slots=True)
class PartnerRecord:
    """What the directory said last of a partner."""

    slug: str
    name: str
    mailbox: str
    phone: str
    phone_hours: str | None
    language: str
    status: str
    kind: str
    trial: bool


@dataclass(frozen=True, slots=True)
class Goes:
    """Nothing stands in the way."""


@dataclass(frozen=True, slots=True)
class Waits:
    """Something is missing that may still come."""

    cause: str


@dataclass(frozen=True, slots=True)
class Never:
    """It will not go. suppressed: that is right so, and nobody has to do anything."""

    cause: str
    suppressed: bool = False


Gate = Goes | Waits | Never


def is_news(recorded: datetime, seen: datetime) -> bool:
    """Whether an event is recent enough to be mailed about. recorded: when the hub learnt it, since partners may
    record late what happened long before; seen: when it first comes by here."""
    return seen - recorded <= NEWS_FOR


def email_gate(
    recipient: PartnerRecord | None, contact: PartnerRecord | None, *, trial: bool, waited: timedelta
) -> Gate:
    """For an e-mail. contact: the other party, whom the message names. waited: how long it has been there."""
    gate = _partner_gate(recipient, trial=trial)
    if gate is None and recipient is not None and not recipient.mailbox:
        gate = Waits("mailbox_missing")
    if gate is None and contact is None:
        gate = Waits("contact_unknown")
    return _within(gate or Goes(), waited)


def webhook_gate(recipient: PartnerRecord | None, subscription: str | None, *, trial: bool, waited: timedelta) -> Gate:
    """For a webhook. subscription: its status; None if it is no more."""
    if subscription in {None, "disabled"}:
        return Never("subscription_disabled")
    gate = _partner_gate(recipient, trial=trial)
    if gate is None and subscription == "paused":
        gate = Waits("subscription_paused")
    return _within(gate or Goes(), waited)


def _partner_gate(recipient: PartnerRecord | None, *, trial: bool) -> Gate | None:
    """What stands in the way of any message to this partner. Trial records reach trial partners only."""
    if recipient is None:
        return Waits("partner_unknown")
    if recipient.status == "left":
        return Never("partner_left")
    if recipient.status == "suspended":
        return Waits("partner_suspended")
    return Never("trial_only", suppressed=True) if trial and not recipient.trial else None


def _within(gate: Gate, waited: timedelta) -> Gate:
    return Never("waited_too_long") if isinstance(gate, Waits) and waited >= WAITS_MOST else gate
