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
    Goal,
    Household,
    Moment,
    Nis,
    Obstacle,
    OfferType,
    PartnerKind,
    PersonStatus,
    Reference,
    ReferralOutcome,
    ReferralReason,
    Sex,
    Slug,
)
from schemas.envelope import Payload, SealedPart
from schemas.topics import PATHWAYS, Topic

_BOTH = frozenset(
    {"referral_id", "reference", "referrer", "recipient", "recipient_kind", "offer", "offer_type", "moment"}
)


def _seen(*fields: str) -> dict[str, frozenset[str]]:
    """Both parties see what names the referral and these fields; neither sees the home partner behind the referrer."""
    return {"referrer": _BOTH | set(fields), "recipient": _BOTH | set(fields)}


class ReferralEvent(Payload):
    """What every event of a referral carries, so that applying it needs no look at the directory."""

    TOPIC: ClassVar[Topic] = PATHWAYS
    SEEN_BY: ClassVar[dict[str, frozenset[str]]] = _seen()

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


class DisclosedProfile(SealedPart):
    """The bands that convention and agreement both let through; the others are absent."""

    age_band: AgeBand | None = None
    sex: Sex | None = None
    commune_nis: Nis | None = None
    education: Education | None = None
    status: PersonStatus | None = None
    household: Household | None = None
    obstacles: tuple[Obstacle, ...] | None = None


class SentSealed(SealedPart):
    """Why, and what the receiver may know of the person."""

    reason: ReferralReason
    goal: Goal
    chosen_by: ChosenBy
    disclosed: DisclosedProfile


class SentV1(ReferralEvent):
    """A person was referred. reply_by: the date the convention sets."""

    TYPE: ClassVar[str] = "jalons.referral.sent.v1"
    SEALED: ClassVar[type[SealedPart] | None] = SentSealed
    SEEN_BY: ClassVar[dict[str, frozenset[str]]] = {
        "referrer": _BOTH
        | {"contact", "reply_by", "follows", "alternative_to"}
        | {"sealed.reason", "sealed.goal", "sealed.chosen_by", "sealed.disclosed"},
        "recipient": _BOTH
        | {"contact", "reply_by"}
        | {"sealed.reason", "sealed.goal", "sealed.chosen_by", "sealed.disclosed"},
    }

    contact: Contact
    reply_by: date
    follows: UUID | None = None
    alternative_to: UUID | None = None


class ReceivedV1(ReferralEvent):
    """The receiver has seen it."""

    TYPE: ClassVar[str] = "jalons.referral.received.v1"


class AcceptedV1(ReferralEvent):
    """The receiver takes the person on."""

    TYPE: ClassVar[str] = "jalons.referral.accepted.v1"
    SEEN_BY: ClassVar[dict[str, frozenset[str]]] = _seen("first_contact_on", "place")

    first_contact_on: date | None = None
    place: str | None = None


class DeclinedSealed(SealedPart):
    """Why not, and who said so."""

    reason: DeclineReason
    declined_by: DeclinedBy


class DeclinedV1(ReferralEvent):
    """The receiver, or the person, says no."""

    TYPE: ClassVar[str] = "jalons.referral.declined.v1"
    SEALED: ClassVar[type[SealedPart] | None] = DeclinedSealed
    SEEN_BY: ClassVar[dict[str, frozenset[str]]] = _seen("sealed.reason", "sealed.declined_by")


class StartedV1(ReferralEvent):
    """What was referred for begins. With `answered_by`, a training or placement is the step, not the referral."""

    TYPE: ClassVar[str] = "jalons.referral.started.v1"
    SEEN_BY: ClassVar[dict[str, frozenset[str]]] = _seen("started_on", "answered_by", "answered_by_id")

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
    SEEN_BY: ClassVar[dict[str, frozenset[str]]] = _seen("sealed.outcome")
