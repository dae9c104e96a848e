"""Which partners get an e-mail about an event: those of `schemas/routing.py`, never the partner that acted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from schemas.routing import BY_TYPE

MAX_EVENT_AGE = timedelta(days=7)
"""Longer than a reply may be awaited, and than an outage over a long weekend. A mail about an older event would ask for
what was done or dropped meanwhile: reading a log again must not write to everybody."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """One e-mail to write. role: as which party the partner is told; contact: the other party, whom it names; answered:
    who is answered."""

    partner: str
    role: str
    contact: str
    answered: str


def recipients(type_: str, parties: Mapping[str, str], acted: str) -> tuple[Recipient, ...]:
    """The partners that an event is mailed to, each once. parties: role → partner, as the event names them, with
    COORDINATOR if she has a mailbox; acted: the partner that acted."""
    route = BY_TYPE.get(type_)
    if route is None:
        return ()
    found: dict[str, Recipient] = {}
    for role, message in route.messages():
        partner, contact = parties.get(role), parties.get(route.contact(role))
        if message.send == "now" and partner and contact and partner != acted:
            answered = route.answered(role)
            found.setdefault(partner, Recipient(partner, role, contact, parties.get(answered, answered)))
    return tuple(found.values())


def awaits_answer(type_: str, role: str) -> bool:
    """Whether the e-mail to this role brings a link by which it is answered without an account."""
    route = BY_TYPE.get(type_)
    message = route.message(role) if route else None
    return message is not None and message.awaits_answer


def is_recent(recorded: datetime, now: datetime) -> bool:
    """Whether an event is recent enough to be mailed about. recorded: when the hub learnt it, since partners may
    record late what happened long before."""
    return now - recorded <= MAX_EVENT_AGE


def subscribed(types: Iterable[str], type_: str) -> bool:
    """Whether a subscription to these types (`*` matches any run of characters) includes a type."""
    return any(_matches(pattern, type_) for pattern in types)


def _matches(pattern: str, text: str) -> bool:
    """Linear in the text, whatever the pattern: it comes from a partner."""
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == text
    if not text.startswith(first):
        return False
    at = len(first)
    for part in rest[:-1]:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(text) - at >= len(rest[-1]) and text.endswith(rest[-1])
