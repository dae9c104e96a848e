"""Keyword arguments of each call. Closed lists are literals, so a type checker knows every code.

The forms are referrals' own (services/referrals/*/bodies.py); a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Literal, Required, TypedDict
from uuid import UUID

from schemas import codes

Day = date | str
"""A date, or a string `YYYY-MM-DD`."""
Id = UUID | str
"""An id, or a spoken reference where the call accepts one."""


class Write(TypedDict, total=False):
    """Options of every call that writes.

    idempotency_key: choose your own to repeat a call after a restart; by default the client generates one and keeps it
    for this call's retries. if_match: the `etag` of what was read. actor: the member of your staff, as an opaque code.
    """

    idempotency_key: str
    if_match: str | None
    actor: str


class Act(Write, total=False):
    """happened_on: the day of the act; default: today."""

    happened_on: Day


class Reported(Act, total=False):
    """An act of the receiver. The referrer may record it if the receiver does not use the hub."""

    reported_by: codes.ReportedBy


class Profile(TypedDict, total=False):
    """A person's profile, in bands."""

    age_band: Required[codes.AgeBand]
    sex: Required[codes.Sex]
    commune_nis: Required[str]
    education: Required[codes.Education]
    status: Required[codes.PersonStatus]
    household: Required[codes.Household]
    obstacles: Sequence[codes.Obstacle]


class Agreement(TypedDict, total=False):
    """The person's agreement, given with a referral."""

    channel: Required[codes.ConsentChannel]
    attributes: Sequence[codes.AgreedAttribute]
    evidence_ref: str
    expires_on: Day


class Person(TypedDict, total=False):
    """A new person, given with a referral."""

    local_ref: str
    profile: Required[Profile]


class Goal(TypedDict):
    """The person's goal, and who chose it."""

    goal: codes.Goal
    chosen_by: codes.ChosenBy


class Referral(Act, Goal, total=False):
    """Give a `beneficiary`, or a `person` with an `agreement`; and a `recipient`, or an `offer` of the recipient.
    again: it is no double of a referral to the same recipient that has not started."""

    beneficiary: Id
    person: Person
    agreement: Agreement
    recipient: str
    offer: str
    moment: Required[codes.Moment]
    reason: Required[codes.ReferralReason]
    contact: Required[codes.Contact]
    follows: Id
    alternative_to: Id
    again: bool


class Acceptance(Reported, total=False):
    """first_contact_on: optional if the referral's contact is `receiver_calls_referrer`. place: the code of one of the
    receiver's places."""

    first_contact_on: Day
    place: str


class Waitlisting(Reported, total=False):
    """The rank on the receiver's waiting list, or the day a place is expected."""

    rank: int
    expected_on: Day


class Decline(Reported):
    """A reason, and who declined."""

    reason: codes.DeclineReason
    declined_by: codes.DeclinedBy


class Redirection(Act, total=False):
    """Another `recipient`, or an `offer` of theirs, with an agreement that covers it."""

    recipient: str
    offer: str
    contact: codes.Contact
    agreement: Agreement
    again: bool


class Stop(Act):
    """Why it ends early, does not start, or is suspended."""

    reason: codes.EndReason


class Interruption(Reported):
    """Why it ends early."""

    reason: codes.EndReason


class Reopening(Act):
    """Why it returns to the previous status."""

    reason: codes.ReopenReason
    again: bool


class Voiding(Act):
    """Why it was recorded by mistake."""

    reason: codes.VoidReason


class Suggestion(Act):
    """The suggested offer."""

    offer: str


class Start(Act):
    """The first day."""

    started_on: Day


class ReferralStart(Reported):
    """The first day."""

    started_on: Day


class ReferralEnd(Reported):
    """Whether the goal was reached."""

    outcome: codes.ReferralOutcome


class Training(Act, Goal, total=False):
    """For a registered person. referral_id: the referral that the training answers, if any."""

    beneficiary: Required[Id]
    offer: str
    referral_id: Id
    kind: Required[codes.TrainingKind]
    tool: codes.Tool
    planned_start: Required[Day]
    planned_end: Day


class TrainingEnd(Act):
    """What was acquired, and the hours attended."""

    outcome: codes.TrainingOutcome
    hours_done: int


class Placement(Act, Goal, total=False):
    """employer: where the person works. legal_employer: if it is another partner."""

    beneficiary: Required[Id]
    employer: Required[str]
    legal_employer: str
    offer: str
    referral_id: Id
    kind: Required[codes.PlacementKind]
    occupation: str
    planned_start: Required[Day]
    planned_end: Day


class Refusal(Act):
    """Why the employer refuses."""

    reason: codes.DeclineReason


class Evaluation(Act):
    """Whether the goal was reached."""

    outcome: codes.ReferralOutcome


class FollowUp(Act):
    """The person's situation, `months` after the end."""

    months: codes.FollowUpMonths
    situation: codes.Situation


class PlacementEnd(Act):
    """The last day, and why it ended."""

    ended_on: Day
    reason: codes.EndReason


class Registration(Act, total=False):
    """local_ref: the home partner's own dossier number, unique among its persons; without it the hub gives a code."""

    profile: Required[Profile]
    local_ref: str


class NewProfile(Act):
    """The complete new profile."""

    profile: Profile


class Consent(Act, total=False):
    """Covers `partners`, or the parties of a convention. replaces: the agreement that this one supersedes."""

    partners: Sequence[str]
    convention_id: Id
    replaces: Id
    purposes: Required[Sequence[codes.Purpose]]
    attributes: Sequence[codes.AgreedAttribute]
    channel: Required[codes.ConsentChannel]
    evidence_ref: str
    expires_on: Day


class Need(Act, total=False):
    """A need of a `beneficiary`, or of a commune without one. met_by_offer: whether an offer meets it, or its name;
    default: what the directory says."""

    beneficiary: Id
    domain: Required[codes.NeedDomain]
    kind: Required[codes.NeedKind]
    source: Required[codes.NeedSource]
    commune_nis: Required[str]
    met_by_offer: bool | str


class Activity(Act, total=False):
    """A person's own business. on: its first day. training_id: the guidance it came from; default: the current one."""

    beneficiary: Required[Id]
    on: Required[Day]
    form: Required[codes.ActivityForm]
    training_id: Id


class Place(TypedDict):
    """A place where a partner receives persons, by the code that acts and offers name."""

    code: str
    address: str


class Partner(Write, total=False):
    """mailbox and phone belong to an office, never to a person."""

    name: Required[str]
    kind: Required[codes.PartnerKind]
    sector: Required[codes.Sector]
    commune_nis: Required[str]
    moments: Required[Sequence[codes.Moment]]
    secrecy_class: Required[codes.SecrecyClass]
    mailbox: Required[str]
    phone: Required[str]
    phone_hours: str
    address: str
    language: codes.Language
    trial: bool
    places: Sequence[Place]
    front: bool
    valid_from: Day
    valid_to: Day


Direction = TypedDict("Direction", {"from": str, "to": str, "moments": Sequence[codes.Moment]})
"""One direction a convention opens."""


class Convention(Write, total=False):
    """Who may refer to whom for which moments, and which attributes may be shared. renews: the convention whose
    agreements this one carries on."""

    parties: Required[Sequence[str]]
    valid_from: Required[Day]
    valid_to: Day
    scope: Required[Sequence[Direction]]
    shared_attributes: Required[Sequence[codes.Attribute]]
    legal_basis: Required[codes.LegalBasis]
    retention_months: int
    reply_within_working_days: int
    remind_on_working_days: Sequence[int]
    expire_after_days: int
    escalate_on_working_day: int
    renews: Id


class Offer(Write, total=False):
    """An offer of a partner."""

    partner: Required[str]
    title: Required[str]
    moment: Required[codes.Moment]
    type: Required[codes.OfferType]
    places: Required[int]
    commune_nis: Required[str]
    status: codes.OfferStatus
    transport_help: bool
    childcare: bool
    mailbox: str
    place: str
    project: str
    valid_from: Day
    valid_to: Day


class OfferFilter(TypedDict, total=False):
    """Filters, combined with AND.

    commune: order by distance from it, and include the distance. covered: only offers that a convention lets you refer
    to. past: include closed offers and offers outside their dates.
    """

    partner: str
    moment: codes.Moment
    type: codes.OfferType
    status: codes.OfferStatus
    commune_nis: str
    commune: str
    within_km: int
    kind: codes.PartnerKind
    free: bool
    transport_help: bool
    covered: bool
    past: bool


class FinerCode(Write):
    """parent: the code of the closed list that it refines. label: its French text."""

    parent: str
    label: str


class Commune(Write):
    """Coordinates of its main town, in degrees (WGS 84)."""

    name: str
    latitude: float
    longitude: float


class Subscription(Write, total=False):
    """types: event types; `*` matches any characters."""

    url: Required[str]
    types: Required[Sequence[str]]
    mode: Literal["full", "id_only"]
