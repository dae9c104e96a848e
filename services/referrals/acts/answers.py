"""What calls answer of referrals, trainings and placements: a field that the reader is not shown is absent."""

from __future__ import annotations

from datetime import date
from typing import NotRequired
from uuid import UUID

from typing_extensions import TypedDict

from jalons.web.answers import Answers, Page, Shown
from schemas import codes
from services.referrals.acts.http import ACTIONS


class Disclosed(TypedDict, total=False):
    """What of the person's profile the receiver is shown."""

    age_band: codes.AgeBand
    sex: codes.Sex
    commune_nis: codes.Nis
    education: codes.Education
    status: codes.PersonStatus
    household: codes.Household
    obstacles: list[codes.Obstacle]
    reason: codes.ReferralReason
    goal: codes.Goal


class Alternative(TypedDict):
    """An offer that the person could be referred to instead."""

    offer: codes.Slug
    partner: codes.Slug
    title: str
    moment: codes.Moment
    type: codes.OfferType
    commune_nis: codes.Nis
    transport_help: bool
    childcare: bool


class _Act(Shown):
    """beneficiary: the person, by the reader's own name of them; null once erased. actions: what the reader may do."""

    ref: codes.Reference
    version: int
    actions: list[str]
    beneficiary: NotRequired[UUID | None]
    erased: NotRequired[bool]


class _Covered(TypedDict, total=False):
    """Since when no agreement or convention covers a party, and how that came."""

    uncovered_on: date
    uncovered_by: codes.AgreementEnd
    agreement_ended: codes.AgreementEnd


class _Meant(_Covered, total=False):
    """Why the person goes there. finer: the network's own code below a reason."""

    reason: str
    finer: codes.FinerCode
    goal: codes.Goal
    chosen_by: codes.ChosenBy


class _ReferralCourse(_Meant, total=False):
    home: codes.Slug
    referrer: codes.Slug
    recipient: codes.Slug
    moment: codes.Moment
    offer: codes.Slug
    disclosed: Disclosed
    contact: codes.Contact
    reply_by: date
    follows: UUID
    alternative_to: UUID
    also_open: list[codes.Reference]
    parent: UUID
    first_contact_on: date
    place: codes.PlaceCode
    rank: int
    expected_on: date
    started_on: date
    answered_by: codes.AnsweredBy
    reported_by: codes.ReportedBy
    employer_calls: codes.EmployerCalls
    said: codes.Said
    said_on: date
    stop_asked_on: date
    outcome: codes.ReferralOutcome
    declined_by: codes.DeclinedBy
    decline_reason: codes.DeclineReason
    decline_finer: codes.FinerCode
    cancel_reason: codes.CancelReason
    cancel_finer: codes.FinerCode
    interrupt_reason: codes.EndReason
    interrupt_finer: codes.FinerCode
    reopen_reason: codes.ReopenReason
    void_reason: codes.VoidReason
    lapsed: bool
    redirected_to: UUID
    redirected_reference: codes.Reference
    new_recipient: codes.Slug
    suggested_offer: codes.Slug
    suggested_partner: codes.Slug
    alternatives: list[Alternative]


class Referral(_Act, _ReferralCourse):
    """A referral. Its status and its reader decide which fields there are: docs/explanation/who-sees-what.md."""

    referral_id: NotRequired[UUID]
    status: codes.ReferralStatus


LateReferral = TypedDict(
    "LateReferral",
    {"ref": codes.Reference, "from": codes.Slug, "to": codes.Slug, "moment": codes.Moment, "age_days": int},
)
"""A referral that nobody answered, as the coordinator is shown it."""


class _Planned(_Meant, total=False):
    home: codes.Slug
    offer: codes.Slug
    referral_id: UUID
    planned_start: date
    planned_end: date
    started_on: date
    cancel_reason: codes.CancelReason
    cancel_finer: codes.FinerCode


class Training(_Act, _Planned):
    """A training."""

    training_id: NotRequired[UUID]
    status: codes.TrainingStatus
    operator: NotRequired[codes.Slug]
    moment: NotRequired[codes.Moment]
    kind: NotRequired[codes.TrainingKind]
    tool: NotRequired[codes.Tool]
    outcome: NotRequired[codes.TrainingOutcome]
    hours_done: NotRequired[int]
    suspend_reason: NotRequired[codes.EndReason]
    suspend_finer: NotRequired[codes.FinerCode]
    interrupt_reason: NotRequired[codes.EndReason]
    interrupt_finer: NotRequired[codes.FinerCode]


class Placement(_Act, _Planned):
    """A placement. follow_ups: months after the end → situation."""

    placement_id: NotRequired[UUID]
    status: codes.PlacementStatus
    employer: NotRequired[codes.Slug]
    proposer: NotRequired[codes.Slug]
    legal_employer: NotRequired[codes.Slug]
    employer_calls: NotRequired[codes.EmployerCalls]
    kind: NotRequired[codes.PlacementKind]
    occupation: NotRequired[str]
    ended_on: NotRequired[date]
    outcome: NotRequired[codes.ReferralOutcome]
    evaluation: NotRequired[codes.ReferralOutcome]
    refuse_reason: NotRequired[codes.DeclineReason]
    refuse_finer: NotRequired[codes.FinerCode]
    end_reason: NotRequired[codes.EndReason]
    end_finer: NotRequired[codes.FinerCode]
    situation: NotRequired[codes.Situation]
    follow_ups: NotRequired[dict[str, codes.Situation]]


class Office(TypedDict):
    """Whom to call."""

    partner: codes.Slug
    name: str
    phone: str
    phone_hours: str | None
    mailbox: str


class Reference(TypedDict):
    """The two offices that a reference concerns, for the network's front."""

    ref: codes.Reference
    employer: Office
    accompanist: Office


_FORMS = {"referrals": Referral, "trainings": Training, "placements": Placement}
ANSWERS: Answers = {
    ("GET", "/referrals"): Page[Referral | LateReferral],
    ("GET", "/trainings"): Page[Training],
    ("GET", "/placements"): Page[Placement],
    **{("POST", f"/{noun}"): form for noun, form in _FORMS.items()},
    **{("GET", f"/{noun}/{{id}}"): form for noun, form in _FORMS.items()},
    **{("POST", f"/{noun}/{{id}}/{action}"): _FORMS[noun] for noun in _FORMS for action in ACTIONS[noun]},
    ("POST", "/referrals/{id}/go-on"): Referral,
    ("GET", "/references/{id}"): Reference,
    ("POST", "/references/{id}/call-back"): Reference,
}
