"""Request bodies of referrals, trainings and placements, and of the actions on them.

The fields of an action are optional here: the life cycle's table says which must be given, so that a refusal names all
that are missing.
"""

from __future__ import annotations

from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, StrictBool, model_validator

from schemas import codes
from services.referrals.agreements.bodies import AgreementBody
from services.referrals.calls.bodies import Dated, Day, Spoken
from services.referrals.persons.bodies import EXAMPLE_PERSON, EXAMPLE_PROFILE, PersonBody

Again = Annotated[StrictBool, Field(description="it is meant, though a like referral has not started")]


class ReferralBody(Dated):
    """`POST /referrals`, for a person who is known or given with it, to a recipient or the one whose offer it is."""

    beneficiary: UUID | None = None
    person: PersonBody | None = None
    agreement: AgreementBody | None = None
    recipient: codes.Slug | None = None
    offer: codes.Slug | None = None
    moment: codes.Moment
    reason: codes.ReferralReason | codes.FinerCode
    goal: codes.Goal
    chosen_by: codes.ChosenBy
    contact: codes.Contact
    follows: Spoken | None = None
    alternative_to: Spoken | None = None
    again: Again = False

    @model_validator(mode="after")
    def _one_person(self) -> Self:
        if (self.beneficiary is None) == (self.person is None):
            raise ValueError("name either beneficiary or person")
        return self


class TrainingBody(Dated):
    """`POST /trainings`."""

    beneficiary: UUID
    offer: codes.Slug | None = None
    referral_id: Spoken | None = None
    kind: codes.TrainingKind
    tool: codes.Tool | None = None
    goal: codes.Goal
    chosen_by: codes.ChosenBy
    planned_start: Day
    planned_end: Day | None = None


class PlacementBody(Dated):
    """`POST /placements`."""

    beneficiary: UUID
    employer: codes.Slug
    legal_employer: codes.Slug | None = None
    offer: codes.Slug | None = None
    referral_id: Spoken | None = None
    kind: codes.PlacementKind
    occupation: codes.TradeCode | None = None
    goal: codes.Goal
    chosen_by: codes.ChosenBy
    planned_start: Day
    planned_end: Day | None = None


class Plain(Dated):
    """An act that says nothing but itself."""


class Reported(Dated):
    """An act of the receiver's, which the referrer may record in the receiver's place."""

    reported_by: codes.ReportedBy | None = None


class ReceiveBody(Reported):
    """`POST /referrals/{id}/receive`."""


class AcceptBody(Reported):
    """`POST /referrals/{id}/accept`. place: the code of one of the receiver's places; without it the offer's place
    stands, or the receiver's own address."""

    first_contact_on: Day | None = None
    place: codes.PlaceCode | None = None


class WaitlistBody(Reported):
    """`POST /referrals/{id}/waitlist`: the rank in the receiver's list, or when there may be a place."""

    rank: Annotated[int, Field(ge=1, le=10_000)] | None = None
    expected_on: Day | None = None


class DeclineBody(Reported):
    """`POST /referrals/{id}/decline`."""

    reason: codes.DeclineReason | codes.FinerCode | None = None
    declined_by: codes.DeclinedBy | None = None


class RedirectBody(Dated):
    """`POST /referrals/{id}/redirect`: to a recipient, or to the one whose offer it is."""

    recipient: codes.Slug | None = None
    offer: codes.Slug | None = None
    contact: codes.Contact | None = None
    agreement: AgreementBody | None = None
    again: Again = False


class StopBody(Dated):
    """What stops before its end, will not begin, or rests."""

    reason: codes.EndReason | codes.FinerCode | None = None


class InterruptReferralBody(Reported):
    """`POST /referrals/{id}/interrupt`."""

    reason: codes.EndReason | codes.FinerCode | None = None


class ReopenBody(Dated):
    """`POST /referrals/{id}/reopen`."""

    reason: codes.ReopenReason | None = None
    again: Again = False


class VoidBody(Dated):
    """`POST /referrals/{id}/void`."""

    reason: codes.VoidReason | None = None


class SuggestBody(Dated):
    """`POST /referrals/{id}/suggest`."""

    offer: codes.Slug | None = None


class StartBody(Dated):
    """`POST /…/{id}/start` of a training or a placement."""

    started_on: Day | None = None


class StartReferralBody(Reported):
    """`POST /referrals/{id}/start`."""

    started_on: Day | None = None


class CompleteReferralBody(Reported):
    """`POST /referrals/{id}/complete`."""

    outcome: codes.ReferralOutcome | None = None


class CompleteTrainingBody(Dated):
    """`POST /trainings/{id}/complete`."""

    outcome: codes.TrainingOutcome | None = None
    hours_done: int | None = Field(default=None, ge=0, le=10_000)


class RefuseBody(Dated):
    """`POST /placements/{id}/refuse`."""

    reason: codes.DeclineReason | codes.FinerCode | None = None


class EvaluateBody(Dated):
    """`POST /placements/{id}/evaluate`."""

    outcome: codes.ReferralOutcome | None = None


class EndBody(Dated):
    """`POST /placements/{id}/end`."""

    ended_on: Day | None = None
    reason: codes.EndReason | codes.FinerCode | None = None


class FollowUpBody(Dated):
    """`POST /placements/{id}/follow-up`: so many months after its end."""

    months: codes.FollowUpMonths | None = None
    situation: codes.Situation | None = None


_PLAN = {"goal": "qualify", "chosen_by": "together", "planned_start": "2026-12-07"}
EXAMPLES: dict[tuple[str, str], Any] = {
    ("POST", "/referrals"): {
        "person": {"local_ref": "H-2026-114", "profile": EXAMPLE_PROFILE},
        "agreement": {"channel": "paper", "attributes": ["age_band", "obstacles"]},
        "recipient": "le-trusquin",
        "offer": "auxiliaire-de-soins",
        "moment": "formation",
        "reason": "training",
        "goal": "qualify",
        "chosen_by": "together",
        "contact": "receiver_calls_referrer",
    },
    ("POST", "/referrals/{id}/accept"): {"first_contact_on": "2026-12-01", "place": "atelier"},
    ("POST", "/referrals/{id}/decline"): {"reason": "distance_mobility", "declined_by": "person"},
    ("POST", "/referrals/{id}/start"): {"started_on": "2026-12-07"},
    ("POST", "/referrals/{id}/complete"): {"outcome": "reached"},
    ("POST", "/trainings"): {"beneficiary": EXAMPLE_PERSON, "referral_id": "R-5WPG-98H", "kind": "formation", **_PLAN},
    ("POST", "/trainings/{id}/start"): {"started_on": "2026-12-07"},
    ("POST", "/trainings/{id}/complete"): {"outcome": "acquired", "hours_done": 240},
    ("POST", "/placements"): {"beneficiary": EXAMPLE_PERSON, "employer": "home-hotton", "kind": "cdd", **_PLAN},
    ("POST", "/placements/{id}/start"): {"started_on": "2026-12-07"},
    ("POST", "/placements/{id}/end"): {"ended_on": "2027-06-30", "reason": "end_of_contract"},
}
