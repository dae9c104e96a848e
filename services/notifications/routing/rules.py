"""Who is told of what: a table from event type to parties; never the partner who acted, never anyone else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """A type of event, the two parties of what it is about, and which of them are told by mail.

    Where both are told of an act it is in truth the other one, since who acted never is; of what the hub itself says
    it is both. COORDINATOR is told too where she is named, if the network has a mailbox for her.
    """

    type: str
    parties: tuple[str, str]
    told: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Letter:
    """One message to write. role: as which party the recipient is told; contact: the other party, who is to be
    answered."""

    recipient: str
    role: str
    contact: str


_REFERRAL = ("referrer", "recipient")
_TRAINING = ("home", "operator")
_PLACEMENT = ("proposer", "employer")
_PLACED = ("home", "employer")
COORDINATOR = "coordinator"
"""Her role, and what stands for her where a partner is named: she has no partner's record."""

TOLD = (
    #    type                               parties     told by mail
    Line("jalons.referral.sent.v1", _REFERRAL, ("recipient",)),
    Line("jalons.referral.received.v1", _REFERRAL, ()),
    Line("jalons.referral.accepted.v1", _REFERRAL, _REFERRAL),
    Line("jalons.referral.waitlisted.v1", _REFERRAL, _REFERRAL),
    Line("jalons.referral.declined.v1", _REFERRAL, _REFERRAL),
    Line("jalons.referral.redirected.v1", _REFERRAL, ("recipient",)),  # the new one is told of what is sent to it
    Line("jalons.referral.cancelled.v1", _REFERRAL, ("recipient",)),
    Line("jalons.referral.started.v1", _REFERRAL, _REFERRAL),
    Line("jalons.referral.completed.v1", _REFERRAL, _REFERRAL),
    Line("jalons.beneficiary.said.v1", _REFERRAL, ("referrer",)),
    Line("jalons.referral.interrupted.v1", _REFERRAL, _REFERRAL),
    Line("jalons.referral.expired.v1", _REFERRAL, (*_REFERRAL, COORDINATOR)),
    Line("jalons.referral.reopened.v1", _REFERRAL, _REFERRAL),
    Line("jalons.referral.voided.v1", _REFERRAL, _REFERRAL),
    Line("jalons.referral.suggested.v1", _REFERRAL, ("referrer",)),
    Line("jalons.referral.reminder_due.v1", _REFERRAL, ("recipient",)),
    Line("jalons.referral.escalated.v1", _REFERRAL, (COORDINATOR,)),
    Line("jalons.referral.news_due.v1", _REFERRAL, _REFERRAL),
    Line("jalons.training.enrolled.v1", _TRAINING, _TRAINING),
    Line("jalons.training.started.v1", _TRAINING, ("home",)),
    Line("jalons.training.suspended.v1", _TRAINING, _TRAINING),
    Line("jalons.training.resumed.v1", _TRAINING, _TRAINING),
    Line("jalons.training.attendance_falling.v1", _TRAINING, ("home",)),
    Line("jalons.training.completed.v1", _TRAINING, ("home",)),
    Line("jalons.training.interrupted.v1", _TRAINING, _TRAINING),
    Line("jalons.training.cancelled.v1", _TRAINING, _TRAINING),
    Line("jalons.training.news_due.v1", _TRAINING, _TRAINING),
    Line("jalons.placement.proposed.v1", _PLACEMENT, ("employer",)),
    Line("jalons.placement.confirmed.v1", _PLACEMENT, ("proposer",)),
    Line("jalons.placement.refused.v1", _PLACEMENT, ("proposer",)),
    Line("jalons.placement.cancelled.v1", _PLACEMENT, _PLACEMENT),
    Line("jalons.placement.started.v1", _PLACEMENT, _PLACEMENT),
    Line("jalons.placement.evaluated.v1", _PLACEMENT, _PLACEMENT),
    Line("jalons.placement.ended.v1", _PLACEMENT, ("proposer",)),
    Line("jalons.placement.followed_up.v1", _PLACED, ()),
    Line("jalons.placement.news_due.v1", _PLACEMENT, _PLACEMENT),
    Line("jalons.placement.end_near.v1", _PLACED, ("home",)),
    Line("jalons.placement.follow_up_due.v1", _PLACED, ("home",)),
)
"""Domain.md, section 4, column "told". A receiver is told of an answer too when the referrer recorded it for her."""

AWAITED = frozenset(
    {
        ("jalons.referral.sent.v1", "recipient"),
        ("jalons.referral.accepted.v1", "recipient"),
        ("jalons.referral.reminder_due.v1", "recipient"),
        ("jalons.referral.reopened.v1", "recipient"),
        ("jalons.referral.news_due.v1", "recipient"),
        ("jalons.training.enrolled.v1", "operator"),
        ("jalons.training.news_due.v1", "operator"),
        ("jalons.placement.proposed.v1", "employer"),
        ("jalons.placement.confirmed.v1", "proposer"),
        ("jalons.placement.started.v1", "employer"),
        ("jalons.placement.news_due.v1", "employer"),
        ("jalons.placement.news_due.v1", "proposer"),
        ("jalons.placement.follow_up_due.v1", "home"),
    }
)
"""(type, role) of the mails that wait for an answer: each brings the link by which it is given without an account."""

LINES: Mapping[str, Line] = {line.type: line for line in TOLD}


def letters(type_: str, parties: Mapping[str, str], acted: str) -> tuple[Letter, ...]:
    """The messages that an event asks for. parties: field → partner, as the event names them, with COORDINATOR if she
    can be told; acted: who did it. The coordinator is put in touch with the first party, which referred."""
    line = LINES.get(type_)
    if line is None:
        return ()
    found: dict[str, Letter] = {}
    for role in line.told:
        recipient = parties.get(role)
        contact = parties.get(line.parties[1] if role == line.parties[0] else line.parties[0])
        if recipient and contact and recipient != acted:
            found.setdefault(recipient, Letter(recipient, role, contact))
    return tuple(found.values())


def wanted(types: Iterable[str], type_: str) -> bool:
    """Whether a subscription to these types (with `*` at any place) asks for a type."""
    return any(_matches(pattern, type_) for pattern in types)


def _matches(pattern: str, text: str) -> bool:
    """`*` stands for any run of characters; the pattern is walked once, so that no pattern is slow."""
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
