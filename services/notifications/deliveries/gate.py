"""Whether a delivery may be sent now, by what is known of its recipient: it is sent, waits, or is given up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

RECHECK_AFTER = timedelta(minutes=10)
"""A waiting delivery is checked again when its partner's record arrives; this is the fallback."""
MAX_WAIT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class PartnerRecord:
    """The newest record of a partner in the directory."""

    slug: str
    name: str
    mailbox: str
    phone: str
    phone_hours: str | None
    language: str
    status: str
    kind: str
    trial: bool
    front: bool = False


@dataclass(frozen=True, slots=True)
class Goes:
    """Nothing is missing: send it."""


@dataclass(frozen=True, slots=True)
class Waits:
    """Something is missing that may still arrive. cause: a code of `causes`."""

    cause: str


@dataclass(frozen=True, slots=True)
class Never:
    """It will not be sent. cause: a code of `causes`; suppressed: expected, no action needed."""

    cause: str
    suppressed: bool = False


Gate = Goes | Waits | Never


def email_gate(
    recipient: PartnerRecord | None, contact: PartnerRecord | None, *, trial: bool, waited: timedelta
) -> Gate:
    """For an e-mail. contact: the other party, whom the message names. waited: since the delivery first could not be
    sent."""
    gate = _partner_gate(recipient, trial=trial)
    if gate is None and recipient is not None and not recipient.mailbox:
        gate = Waits("mailbox_missing")
    if gate is None and contact is None:
        gate = Waits("contact_unknown")
    return _within_max_wait(gate or Goes(), waited)


def webhook_gate(recipient: PartnerRecord | None, subscription: str | None, *, trial: bool, waited: timedelta) -> Gate:
    """For a webhook. subscription: its status; None if it does not exist."""
    if subscription in {None, "disabled"}:
        return Never("subscription_disabled")
    gate = _partner_gate(recipient, trial=trial)
    if gate is None and subscription == "paused":
        gate = Waits("subscription_paused")
    return _within_max_wait(gate or Goes(), waited)


def _partner_gate(recipient: PartnerRecord | None, *, trial: bool) -> Gate | None:
    """What prevents any message to this partner; None if nothing does. Trial records reach trial partners only."""
    if recipient is None:
        return Waits("partner_unknown")
    if recipient.status == "left":
        return Never("partner_left")
    if recipient.status == "suspended":
        return Waits("partner_suspended")
    return Never("trial_only", suppressed=True) if trial and not recipient.trial else None


def _within_max_wait(gate: Gate, waited: timedelta) -> Gate:
    return Never("waited_too_long") if isinstance(gate, Waits) and waited >= MAX_WAIT else gate
