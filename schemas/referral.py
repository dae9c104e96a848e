"""Events of a referral (a *relais*): from one partner's call to the answer and the steps that follow."""

from __future__ import annotations

from datetime import date
from typing import ClassVar
from uuid import UUID

from schemas.codes import (
    AgeBand,
    AgreementEnd,
    AnsweredBy,
    CancelReason,
    ChosenBy,
    Contact,
    DeclinedBy,
    DeclineReason,
    Education,
    EmployerCalls,
    Goal,
    Household,
    Moment,
    NewsDue,
    Nis,
    Obstacle,
    OfferType,
    PartnerKind,
    PersonStatus,
    Reference,
    ReferralOutcome,
    ReferralReason,
    ReferralStatus,
    ReopenReason,
    ReportedBy,
    Sex,
    Slug,
    VoidReason,
)
from schemas.envelope import Payload, Reasoned, SealedPart
from schemas.topics import PATHWAYS, Topic


class ReferralEvent(Payload):
    """The fields of every event of a referral, so that a consumer needs no lookup in the directory.

    uncovered: parties that no agreement covers any more; they see reference and status only.
    """

    TOPIC: ClassVar[Topic] = PATHWAYS

    referral_id: UUID
    reference: Reference
    home: Slug
    referrer: Slug
    recipient: Slug
    recipient_kind: PartnerKind
    offer: Slug | None = None
    offer_type: OfferType | None = None
    moment: Moment
    employer_calls: EmployerCalls = "front"
    trial: bool = False
    uncovered: tuple[Slug, ...] = ()
    reported_by: ReportedBy | None = None


class DisclosedProfile(SealedPart):
    """The bands that both convention and agreement allow; the others are absent."""

    age_band: AgeBand | None = None
    sex: Sex | None = None
    commune_nis: Nis | None = None
    education: Education | None = None
    status: PersonStatus | None = None
    household: Household | None = None
    obstacles: tuple[Obstacle, ...] | None = None


class SentSealed(Reasoned):
    """Why the person is referred, and the bands that the receiver may see."""

    reason: ReferralReason
    goal: Goal
    chosen_by: ChosenBy
    disclosed: DisclosedProfile


class SentV1(ReferralEvent):
    """A person was referred. reply_by: the date the convention sets; parent: the referral that was redirected."""

    TYPE: ClassVar[str] = "jalons.referral.sent.v1"
    SEALED: ClassVar[type[SealedPart] | None] = SentSealed

    contact: Contact
    reply_by: date
    follows: UUID | None = None
    alternative_to: UUID | None = None
    parent: UUID | None = None


class ReceivedV1(ReferralEvent):
    """The receiver saw the referral."""

    TYPE: ClassVar[str] = "jalons.referral.received.v1"


class AcceptedV1(ReferralEvent):
    """The receiver accepted the person."""

    TYPE: ClassVar[str] = "jalons.referral.accepted.v1"

    first_contact_on: date | None = None
    place: str | None = None


class DeclinedSealed(Reasoned):
    """Why the referral was declined, and by whom."""

    reason: DeclineReason
    declined_by: DeclinedBy


class DeclinedV1(ReferralEvent):
    """The receiver, or the person, declined."""

    TYPE: ClassVar[str] = "jalons.referral.declined.v1"
    SEALED: ClassVar[type[SealedPart] | None] = DeclinedSealed


class StartedV1(ReferralEvent):
    """What the person was referred for started. With `answered_by`, the step is a training or placement instead."""

    TYPE: ClassVar[str] = "jalons.referral.started.v1"

    started_on: date
    answered_by: AnsweredBy | None = None
    answered_by_id: UUID | None = None


class CompletedSealed(SealedPart):
    """How far the goal was reached."""

    outcome: ReferralOutcome


class CompletedV1(ReferralEvent):
    """What the person was referred for is completed."""

    TYPE: ClassVar[str] = "jalons.referral.completed.v1"
    SEALED: ClassVar[type[SealedPart] | None] = CompletedSealed


class WaitlistedV1(ReferralEvent):
    """There is no place yet. rank: 1-based, in the receiver's list; expected_on: when a place is expected."""

    TYPE: ClassVar[str] = "jalons.referral.waitlisted.v1"

    rank: int | None = None
    expected_on: date | None = None


class RedirectedV1(ReferralEvent):
    """The referrer referred the person to another partner instead. The former receiver is told that the referral ended,
    not where the person is referred to."""

    TYPE: ClassVar[str] = "jalons.referral.redirected.v1"

    redirected_to: UUID
    redirected_reference: Reference
    new_recipient: Slug


class EndSealed(Reasoned):
    """Why it ended early."""

    reason: CancelReason


class CancelledV1(ReferralEvent):
    """The referrer cancelled the referral. lapsed: the hub did, because an alternative started.
    agreement_ended: the hub did, because nothing covers the recipient any more, and how that came."""

    TYPE: ClassVar[str] = "jalons.referral.cancelled.v1"
    SEALED: ClassVar[type[SealedPart] | None] = EndSealed

    lapsed: bool = False
    agreement_ended: AgreementEnd | None = None


class InterruptedV1(ReferralEvent):
    """An accepted or started referral stopped early."""

    TYPE: ClassVar[str] = "jalons.referral.interrupted.v1"
    SEALED: ClassVar[type[SealedPart] | None] = EndSealed


class ExpiredV1(ReferralEvent):
    """The receiver did not answer in time."""

    TYPE: ClassVar[str] = "jalons.referral.expired.v1"


class ReopenedSealed(SealedPart):
    """Why the referral was reopened."""

    reason: ReopenReason


class ReopenedV1(ReferralEvent):
    """An end was taken back. status: the status it has again."""

    TYPE: ClassVar[str] = "jalons.referral.reopened.v1"
    SEALED: ClassVar[type[SealedPart] | None] = ReopenedSealed

    status: ReferralStatus


class VoidedV1(ReferralEvent):
    """The referral was recorded in error: it is no longer counted, and the step that it opened is closed."""

    TYPE: ClassVar[str] = "jalons.referral.voided.v1"

    reason: VoidReason


class SuggestedV1(ReferralEvent):
    """The coordinator suggested another offer to the referrer, who asks the person."""

    TYPE: ClassVar[str] = "jalons.referral.suggested.v1"

    suggested_offer: Slug
    suggested_partner: Slug


class ReminderDueV1(ReferralEvent):
    """There is no answer yet. number: 1 for the first reminder, 2 for the second."""

    TYPE: ClassVar[str] = "jalons.referral.reminder_due.v1"

    number: int
    reply_by: date


class EscalatedV1(ReferralEvent):
    """There is no answer after all reminders; the coordinator is told."""

    TYPE: ClassVar[str] = "jalons.referral.escalated.v1"

    reply_by: date


class NewsDueV1(ReferralEvent):
    """Something was due and nothing was recorded. since: the day it was due."""

    TYPE: ClassVar[str] = "jalons.referral.news_due.v1"

    about: NewsDue
    since: date
