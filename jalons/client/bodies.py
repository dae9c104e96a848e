"""What is said with each call, as keyword arguments: closed lists are literals, so a type checker knows every code.

The forms are referrals' own (services/referrals/*/bodies.py); a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Literal, Required, TypedDict
from uuid import UUID

from schemas import codes

Day = date | str
"""A date, or `YYYY-MM-DD`."""
Id = UUID | str
"""An id or, wherever one is accepted, the spoken reference."""


class Write(TypedDict, total=False):
    """With every call that writes. idempotency_key: the caller's own, to repeat a call after a restart; else one is
    made and kept over this call's repeats. if_match: the `etag` of what was read. actor: who acted, an opaque code.
    """

    idempotency_key: str
    if_match: str | None
    actor: str


class Act(Write, total=False):
    """An act may have happened on an earlier day."""

    happened_on: Day


class Reported(Act, total=False):
    """An act of the receiver's, which the referrer may record in the place of one that does not use the hub."""

    reported_by: codes.ReportedBy


class Profile(TypedDict, total=False):
    """A person in bands."""

    age_band: Required[codes.AgeBand]
    sex: Required[codes.Sex]
    commune_nis: Required[str]
    education: Required[codes.Education]
    status: Required[codes.PersonStatus]
    household: Required[codes.Household]
    obstacles: Sequence[codes.Obstacle]


class Agreement(TypedDict, total=False):
    """What the person agreed to when a referral is sent."""

    channel: Required[codes.ConsentChannel]
    attributes: Sequence[codes.Attribute]
    evidence_ref: str
    expires_on: Day


class Person(TypedDict, total=False):
    """A person given with a referral."""

    local_ref: str
    profile: Required[Profile]


class Sense(TypedDict):
    """Why a step is taken, for the person."""

    goal: codes.Goal
    chosen_by: codes.ChosenBy


class Referral(Act, Sense, total=False):
    """`beneficiary`, or `person` with an `agreement`; to a `recipient`, or to the one whose `offer` it is."""

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


class Acceptance(Reported, total=False):
    """first_contact_on may be absent where the receiver calls the referrer."""

    first_contact_on: Day
    place: str


class Waiting(Reported, total=False):
    """The rank in the receiver's list, or when there may be a place."""

    rank: int
    expected_on: Day


class Decline(Reported):
    """A reason, and who said no."""

    reason: codes.DeclineReason
    declined_by: codes.DeclinedBy


class Redirection(Act, total=False):
    """To another recipient, or to the one whose offer it is, with an agreement that covers it."""

    recipient: str
    offer: str
    contact: codes.Contact
    agreement: Agreement


class Stop(Act):
    """Why it stops before its end, will not begin, or rests."""

    reason: codes.EndReason


class Interruption(Reported):
    """Why it stops before its end."""

    reason: codes.EndReason


class Reopening(Act):
    """Why it goes back to the state before."""

    reason: codes.ReopenReason


class Voiding(Act):
    """Why it should not have been recorded."""

    reason: codes.VoidReason


class Suggestion(Act):
    """An offer that would fit."""

    offer: str


class Start(Act):
    """The day it began."""

    started_on: Day


class ReferralStart(Reported):
    """The day it began."""

    started_on: Day


class ReferralEnd(Reported):
    """How far the goal was reached."""

    outcome: codes.ReferralOutcome


class Training(Act, Sense, total=False):
    """For a person known here, in answer to a referral or not."""

    beneficiary: Required[Id]
    offer: str
    referral_id: Id
    kind: Required[codes.TrainingKind]
    tool: codes.Tool
    planned_start: Required[Day]
    planned_end: Day


class TrainingEnd(Act):
    """What was acquired, in how many hours."""

    outcome: codes.TrainingOutcome
    hours_done: int


class Placement(Act, Sense, total=False):
    """At an employer; legal_employer: another one, where the host is not it."""

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
    """Why not."""

    reason: codes.DeclineReason


class Evaluation(Act):
    """How far the goal was reached."""

    outcome: codes.ReferralOutcome


class FollowUp(Act):
    """How the person is, so many months after the end."""

    months: codes.FollowUpMonths
    situation: codes.Situation


class PlacementEnd(Act):
    """When it ended, and why."""

    ended_on: Day
    reason: codes.EndReason


class Registration(Act, total=False):
    """local_ref: the home partner's own dossier number; one person has one."""

    profile: Required[Profile]
    local_ref: str


class NewProfile(Act):
    """The bands as they are now."""

    profile: Profile


class Consent(Act, total=False):
    """For `partners` or for a convention's. replaces: one that this stands in for, as when the person narrows it."""

    partners: Sequence[str]
    convention_id: Id
    replaces: Id
    purposes: Required[Sequence[codes.Purpose]]
    attributes: Sequence[codes.Attribute]
    channel: Required[codes.ConsentChannel]
    evidence_ref: str
    expires_on: Day


class Need(Act, total=False):
    """Of a person, or of nobody. met_by_offer: whether an offer meets it, or which; else as the directory has it."""

    beneficiary: Id
    domain: Required[codes.NeedDomain]
    kind: Required[codes.NeedKind]
    source: Required[codes.NeedSource]
    commune_nis: Required[str]
    met_by_offer: bool | str


class Activity(Act, total=False):
    """Since when somebody works on their own account. training_id: the accompaniment, if not the one under way."""

    beneficiary: Required[Id]
    on: Required[Day]
    form: Required[codes.ActivityForm]
    training_id: Id


class Partner(Write, total=False):
    """mailbox and phone: an office's, never a person's."""

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
    valid_from: Day
    valid_to: Day


Direction = TypedDict("Direction", {"from": str, "to": str, "moments": Sequence[codes.Moment]})
"""One direction a convention opens."""


class Convention(Write, total=False):
    """Who may refer to whom, for what, and what may be shared."""

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


class Offer(Write, total=False):
    """What a partner offers."""

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


class OffersAsked(TypedDict, total=False):
    """Which offers; each question narrows what the others leave. commune: the nearest to it first, with their distance;
    covered: to which a convention of yours lets you refer; past: closed ones and those outside their dates too.
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
    """Under which code of the list it hangs, and how it reads."""

    parent: str
    label: str


class Commune(Write):
    """Where its chief place lies, in degrees (WGS 84)."""

    name: str
    latitude: float
    longitude: float


class Subscription(Write, total=False):
    """types: with `*` at any place."""

    url: Required[str]
    types: Required[Sequence[str]]
    mode: Literal["full", "id_only"]
