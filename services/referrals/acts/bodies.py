"""The forms of the acts on a referral, a training or a placement. What must be given is the tables' to ask for, so
that each refusal names all that is missing."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schemas import codes
from services.referrals.calls.bodies import AgreementBody, Dated, Day, Text


class Plain(Dated):
    """An act that says nothing but itself."""


class Reported(Dated):
    """An act of the receiver's, which the referrer may record in the receiver's place."""

    reported_by: codes.ReportedBy | None = None


class ReceiveBody(Reported):
    """`POST /referrals/{id}/receive`."""


class AcceptBody(Reported):
    """`POST /referrals/{id}/accept`; the place is an address of the receiver's."""

    first_contact_on: Day | None = None
    place: Text | None = None


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


class StopBody(Dated):
    """What stops before its end, will not begin, or rests."""

    reason: codes.EndReason | codes.FinerCode | None = None


class InterruptReferralBody(Reported):
    """`POST /referrals/{id}/interrupt`."""

    reason: codes.EndReason | codes.FinerCode | None = None


class ReopenBody(Dated):
    """`POST /referrals/{id}/reopen`."""

    reason: codes.ReopenReason | None = None


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
