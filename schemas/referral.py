"""What happens to a referral (a *relais*): from one partner's call to the answer and the way that follows."""

from __future__ import annotations

from datetime import date
from typing import ClassVar
from uuid import UUID

from schemas.codes import (
    AgeBand,
    AnsweredBy,
    ChosenBy,
    Contact,
    DeclinedBy,
    DeclineReason,
    Education,
    EndReason,
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
    """What every event of a referral carries, so that applying it needs no look at the directory."""

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
    trial: bool = False
    reported_by: ReportedBy | None = None


class DisclosedProfile(SealedPart):
    """The bands that convention and agreement both let through; the others are absent."""

    age_band: AgeBand | None = None
    sex: Sex | None = None
    commune_nis: Nis | None = None
    education: Education | None = None
    status: PersonStatus | None = None
    household: Household | None = None
    obstacles: tuple[Obstacle, ...] | None = None


class SentSealed(Reasoned):
    """Why, and what the receiver may know of the person."""

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
    """The receiver has seen it."""

    TYPE: ClassVar[str] = "jalons.referral.received.v1"


class AcceptedV1(ReferralEvent):
    """The receiver takes the person on."""

    TYPE: ClassVar[str] = "jalons.referral.accepted.v1"

    first_contact_on: date | None = None
    place: str | None = None


class DeclinedSealed(Reasoned):
    """Why not, and who said so."""

    reason: DeclineReason
    declined_by: DeclinedBy


class DeclinedV1(ReferralEvent):
    """The receiver, or the person, says no."""

    TYPE: ClassVar[str] = "jalons.referral.declined.v1"
    SEALED: ClassVar[type[SealedPart] | None] = DeclinedSealed


class StartedV1(ReferralEvent):
    """What was referred for begins. With `answered_by`, a training or placement is the step, not the referral."""

    TYPE: ClassVar[str] = "jalons.referral.started.v1"

    started_on: date
    answered_by: AnsweredBy | None = None
    answered_by_id: UUID | None = None


class CompletedSealed(SealedPart):
    """How far the goal was reached."""

    outcome: ReferralOutcome


class CompletedV1(ReferralEvent):
    """What was referred for is over."""

    TYPE: ClassVar[str] = "jalons.referral.completed.v1"
    SEALED: ClassVar[type[SealedPart] | None] = CompletedSealed


class WaitlistedV1(ReferralEvent):
    """There is no place yet. rank: in the receiver's list, from 1; expected_on: when there may be one."""

    TYPE: ClassVar[str] = "jalons.referral.waitlisted.v1"

    rank: int | None = None
    expected_on: date | None = None


class RedirectedV1(ReferralEvent):
    """The referrer asks somebody else instead. The receiver who is left learns that it ends, not where it goes on."""

    TYPE: ClassVar[str] = "jalons.referral.redirected.v1"

    redirected_to: UUID
    redirected_reference: Reference
    new_recipient: Slug


class EndSealed(Reasoned):
    """Why it ends before its end."""

    reason: EndReason


class CancelledV1(ReferralEvent):
    """The referrer takes it back. lapsed: an alternative of it was taken up."""

    TYPE: ClassVar[str] = "jalons.referral.cancelled.v1"
    SEALED: ClassVar[type[SealedPart] | None] = EndSealed

    lapsed: bool = False


class InterruptedV1(ReferralEvent):
    """What was agreed or begun stops before its end."""

    TYPE: ClassVar[str] = "jalons.referral.interrupted.v1"
    SEALED: ClassVar[type[SealedPart] | None] = EndSealed


class ExpiredV1(ReferralEvent):
    """Nobody answered in time."""

    TYPE: ClassVar[str] = "jalons.referral.expired.v1"


class ReopenedSealed(SealedPart):
    """Why it is open again."""

    reason: ReopenReason


class ReopenedV1(ReferralEvent):
    """An end is taken back. status: the state it has again."""

    TYPE: ClassVar[str] = "jalons.referral.reopened.v1"
    SEALED: ClassVar[type[SealedPart] | None] = ReopenedSealed

    status: ReferralStatus


class VoidedV1(ReferralEvent):
    """It should never have been recorded: it is counted no more, and what it opened is closed."""

    TYPE: ClassVar[str] = "jalons.referral.voided.v1"

    reason: VoidReason


class SuggestedV1(ReferralEvent):
    """The coordinator names another offer to the referrer, who asks the person."""

    TYPE: ClassVar[str] = "jalons.referral.suggested.v1"

    suggested_offer: Slug
    suggested_partner: Slug


class ReminderDueV1(ReferralEvent):
    """No answer yet. number: 1 for the first reminder, 2 for the second."""

    TYPE: ClassVar[str] = "jalons.referral.reminder_due.v1"

    number: int
    reply_by: date


class EscalatedV1(ReferralEvent):
    """No answer after all reminders: the coordinator is told."""

    TYPE: ClassVar[str] = "jalons.referral.escalated.v1"

    reply_by: date


class NewsDueV1(ReferralEvent):
    """Something should have happened by now, of which nothing was said. since: the day it was due."""

    TYPE: ClassVar[str] = "jalons.referral.news_due.v1"

    about: NewsDue
    since: date
