"""A referral needs a convention in force and the person's agreement; what is disclosed is covered by both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

PROFILE = ("age_band", "sex", "commune_nis", "education", "status", "household", "obstacles")


@dataclass(frozen=True, slots=True)
class Convention:
    """A convention, as referrals need it. scope: (from, to, moments). carries: the conventions it renews, whose
    agreements hold under it."""

    convention_id: UUID
    parties: tuple[str, ...]
    status: str
    valid_from: date
    valid_to: date | None
    scope: tuple[tuple[str, str, tuple[str, ...]], ...]
    shared_attributes: frozenset[str]
    reply_within_working_days: int
    remind_on_working_days: tuple[int, ...] = (3, 5)
    escalate_on_working_day: int = 7
    expire_after_days: int = 30
    carries: frozenset[UUID] = frozenset()

    def in_force(self, on: date) -> bool:
        """Whether it is signed and the day is within its dates."""
        return self.status == "signed" and self.valid_from <= on and (self.valid_to is None or on <= self.valid_to)

    def covers(self, referrer: str, recipient: str, moment: str, on: date) -> bool:
        """Whether it lets one partner refer to the other for a moment."""
        return self.in_force(on) and any(
            (referrer, recipient) == (sender, receiver) and moment in moments
            for sender, receiver, moments in self.scope
        )

    def joins(self, referrer: str, recipient: str, on: date) -> bool:
        """Whether it lets one partner refer to the other, for whatever moment."""
        return self.in_force(on) and any((referrer, recipient) == each[:2] for each in self.scope)


def is_no_wider(new: Mapping[str, Any], old: Mapping[str, Any]) -> bool:
    """Whether a convention allows nothing that another did not: no party, no direction, no moment, no attribute more.
    new, old: with `parties`, `scope` (of `from`, `to`, `moments`) and `shared_attributes`."""

    def ways(record: Mapping[str, Any]) -> set[tuple[str, str, str]]:
        return {(s["from"], s["to"], moment) for s in record["scope"] for moment in s["moments"]}

    lists = ("parties", "shared_attributes")
    return ways(new) <= ways(old) and all(set(new[name]) <= set(old[name]) for name in lists)


@dataclass(frozen=True, slots=True)
class Consent:
    """What a person agreed to, for named partners or for the parties of a convention."""

    partners: frozenset[str]
    convention_id: UUID | None
    purposes: frozenset[str]
    attributes: frozenset[str]
    expires_on: date | None

    def covers(self, partner: str, purpose: str, on: date, conventions: Iterable[Convention]) -> bool:
        """Whether it allows telling a partner for a purpose. conventions: signed ones, at least the one it names."""
        if purpose not in self.purposes or (self.expires_on is not None and on > self.expires_on):
            return False
        if partner in self.partners:
            return True
        return any(
            partner in c.parties and c.in_force(on)
            for c in conventions
            if self.convention_id in (c.convention_id, *c.carries)
        )


class NoConvention(Exception):
    """No convention in force lets the referrer send to the receiver for this moment."""


class NoConsent(Exception):
    """The person has not agreed that this partner is told."""


def covering(conventions: Iterable[Convention], referrer: str, recipient: str, moment: str, on: date) -> Convention:
    """The convention that covers a referral. Raises NoConvention."""
    for convention in conventions:
        if convention.covers(referrer, recipient, moment, on):
            return convention
    raise NoConvention


def destinations(conventions: Iterable[Convention], referrer: str, on: date) -> set[tuple[str, str]]:
    """The (partner, moment) pairs to which a partner may refer."""
    return {
        (recipient, moment)
        for convention in conventions
        if convention.in_force(on)
        for sender, recipient, moments in convention.scope
        if sender == referrer
        for moment in moments
    }


def agreed(
    consents: Iterable[Consent], conventions: Iterable[Convention], partner: str, purpose: str, on: date
) -> frozenset[str]:
    """The profile fields a person agreed to show a partner for a purpose. Raises NoConsent."""
    known = list(conventions)
    covering_consents = [c for c in consents if c.covers(partner, purpose, on, known)]
    if not covering_consents:
        raise NoConsent
    return frozenset().union(*(c.attributes for c in covering_consents))


@dataclass(frozen=True, slots=True)
class Disclosed:
    """The profile fields that a receiver is shown, and those withheld: field → `secrecy`, `convention` or `consent`."""

    shown: dict[str, Any]
    withheld: dict[str, str]


def disclosed(
    profile: Mapping[str, Any], shared: frozenset[str], agreed_to: frozenset[str], secrecy_class: str
) -> Disclosed:
    """The fields that a receiver is shown: those that both convention and agreement allow, and none for a receiver not
    bound by professional secrecy (art. 458 of the Penal Code)."""
    shown, withheld = {}, {}
    for name in PROFILE:
        if profile.get(name) is None:
            continue
        if secrecy_class == "none":
            withheld[name] = "secrecy"
        elif name not in shared:
            withheld[name] = "convention"
        elif name not in agreed_to:
            withheld[name] = "consent"
        else:
            shown[name] = profile[name]
    return Disclosed(shown, withheld)


@dataclass(frozen=True, slots=True)
class Receiver:
    """The receiver of a referral, with its referrer and moment. employer: it is outside professional secrecy."""

    partner: str
    referrer: str
    moment: str
    secrecy_class: str
    employer: bool

    @property
    def purpose(self) -> str:
        """The purpose for which the person must have agreed."""
        return "employer" if self.employer else "referral"


def disclosed_now(
    profile: Mapping[str, Any],
    receiver: Receiver,
    conventions: Iterable[Convention],
    consents: Iterable[Consent],
    on: date,
) -> Disclosed:
    """As `disclosed`, by the conventions and agreements of a day. A missing one withholds all fields it would allow."""
    known = list(conventions)
    try:
        shared = covering(known, receiver.referrer, receiver.partner, receiver.moment, on).shared_attributes
    except NoConvention:
        shared = frozenset()
    try:
        agreed_to = agreed(consents, known, receiver.partner, receiver.purpose, on)
    except NoConsent:
        agreed_to = frozenset()
    return disclosed(profile, shared, agreed_to, receiver.secrecy_class)


@dataclass(frozen=True, slots=True)
class Holder:
    """A partner that holds acts about a person. references: of the acts, oldest first; act: the id of the last.
    contact: the newest act's other party, of an employer's acts first; `front` for an employer that may not know it.
    employer: it knows the person as an employer."""

    partner: str
    contact: str
    references: tuple[str, ...]
    act: UUID
    employer: bool


def uncovered(
    holders: Iterable[Holder],
    ended: Consent,
    parties: frozenset[str],
    standing: Iterable[Consent],
    conventions: Iterable[Convention],
    on: date,
) -> list[Holder]:
    """The holders that an ended agreement covered and no standing agreement covers. parties: of the convention that the
    ended agreement names, if any."""
    known, left = list(conventions), list(standing)

    def covered(holder: Holder) -> bool:
        purpose = "employer" if holder.employer else "referral"
        was = purpose in ended.purposes and holder.partner in ended.partners | parties
        return not was or any(c.covers(holder.partner, purpose, on, known) for c in left)

    return [holder for holder in holders if not covered(holder)]
