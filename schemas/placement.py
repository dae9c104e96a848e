"""Events of a placement: art. 60, traineeship, job or own activity."""

from __future__ import annotations

from datetime import date
from typing import ClassVar
from uuid import UUID

from schemas.codes import (
    AgreementEnd,
    CancelReason,
    ChosenBy,
    DeclineReason,
    EmployerCalls,
    FollowUpMonths,
    Goal,
    NewsDue,
    OccupationCode,
    PlacementKind,
    Reference,
    ReferralOutcome,
    Situation,
    Slug,
)
from schemas.envelope import Payload, Reasoned, SealedPart
from schemas.topics import PATHWAYS, Topic

NAMES_THE_PROPOSER = frozenset({"art60_7", "art61"})
"""Kinds of placement to which the public welfare centre is a party: the employer knows it, so it speaks for itself."""


class PlacementEvent(Payload):
    """The fields of every event of a placement. The host (`employer`) and the legal employer are two partners.

    uncovered: parties that no agreement covers any more; they see reference and status only.
    """

    TOPIC: ClassVar[Topic] = PATHWAYS

    placement_id: UUID
    reference: Reference
    home: Slug
    proposer: Slug
    employer: Slug
    legal_employer: Slug | None = None
    referral_id: UUID | None = None
    offer: Slug | None = None
    employer_calls: EmployerCalls = "front"
    trial: bool = False
    uncovered: tuple[Slug, ...] = ()


class PlacementSealed(SealedPart):
    """The kind of contract, the trade, and the person's goal."""

    kind: PlacementKind
    occupation: OccupationCode | None = None
    goal: Goal
    chosen_by: ChosenBy


class ProposedV1(PlacementEvent):
    """A placement was proposed to an employer."""

    TYPE: ClassVar[str] = "jalons.placement.proposed.v1"
    SEALED: ClassVar[type[SealedPart] | None] = PlacementSealed

    planned_start: date
    planned_end: date | None = None


class ConfirmedV1(PlacementEvent):
    """The employer agreed."""

    TYPE: ClassVar[str] = "jalons.placement.confirmed.v1"
    SEALED: ClassVar[type[SealedPart] | None] = PlacementSealed

    planned_start: date
    planned_end: date | None = None


class StartedV1(PlacementEvent):
    """The person started work."""

    TYPE: ClassVar[str] = "jalons.placement.started.v1"
    SEALED: ClassVar[type[SealedPart] | None] = PlacementSealed

    started_on: date


class EndedSealed(Reasoned):
    """Why it ended."""

    kind: PlacementKind
    reason: CancelReason


class EndedV1(PlacementEvent):
    """The placement ended."""

    TYPE: ClassVar[str] = "jalons.placement.ended.v1"
    SEALED: ClassVar[type[SealedPart] | None] = EndedSealed

    ended_on: date


class RefusedSealed(Reasoned):
    """Why the employer refused."""

    kind: PlacementKind
    reason: DeclineReason


class RefusedV1(PlacementEvent):
    """The employer refused."""

    TYPE: ClassVar[str] = "jalons.placement.refused.v1"
    SEALED: ClassVar[type[SealedPart] | None] = RefusedSealed


class CancelledV1(PlacementEvent):
    """The placement was cancelled before it started. agreement_ended: the hub did, because nothing covers a party any
    more, and how that came."""

    TYPE: ClassVar[str] = "jalons.placement.cancelled.v1"
    SEALED: ClassVar[type[SealedPart] | None] = EndedSealed

    agreement_ended: AgreementEnd | None = None


class EvaluatedSealed(SealedPart):
    """How far the goal is reached, if recorded."""

    kind: PlacementKind
    outcome: ReferralOutcome | None = None


class EvaluatedV1(PlacementEvent):
    """The parties evaluated the placement."""

    TYPE: ClassVar[str] = "jalons.placement.evaluated.v1"
    SEALED: ClassVar[type[SealedPart] | None] = EvaluatedSealed


class FollowedUpSealed(SealedPart):
    """The person's situation after the placement."""

    kind: PlacementKind
    situation: Situation


class FollowedUpV1(PlacementEvent):
    """The home partner or the proposer recorded the person's situation. months: since the placement ended."""

    TYPE: ClassVar[str] = "jalons.placement.followed_up.v1"
    SEALED: ClassVar[type[SealedPart] | None] = FollowedUpSealed

    months: FollowUpMonths


class NewsDueV1(PlacementEvent):
    """A planned start or end passed and nothing was recorded. since: the day it was due."""

    TYPE: ClassVar[str] = "jalons.placement.news_due.v1"

    about: NewsDue
    since: date


class EndNearV1(PlacementEvent):
    """The planned end is sixty days away: the follow-on has to be planned."""

    TYPE: ClassVar[str] = "jalons.placement.end_near.v1"

    planned_end: date


class FollowUpDueV1(PlacementEvent):
    """A follow-up is due. months: since the placement ended."""

    TYPE: ClassVar[str] = "jalons.placement.follow_up_due.v1"

    months: FollowUpMonths
