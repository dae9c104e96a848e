"""What happens to a placement: ART 60, traineeship, job or own activity."""

from __future__ import annotations

from datetime import date
from typing import ClassVar
from uuid import UUID

from schemas.codes import (
    ChosenBy,
    DeclineReason,
    EndReason,
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


class PlacementEvent(Payload):
    """What every event of a placement carries. Host (`employer`) and legal employer are two partners."""

    TOPIC: ClassVar[Topic] = PATHWAYS

    placement_id: UUID
    reference: Reference
    home: Slug
    proposer: Slug
    employer: Slug
    legal_employer: Slug | None = None
    referral_id: UUID | None = None
    offer: Slug | None = None
    trial: bool = False


class PlacementSealed(SealedPart):
    """The contract's kind, the trade, and its sense for the person."""

    kind: PlacementKind
    occupation: OccupationCode | None = None
    goal: Goal
    chosen_by: ChosenBy


class ProposedV1(PlacementEvent):
    """An employer is asked to take the person on."""

    TYPE: ClassVar[str] = "jalons.placement.proposed.v1"
    SEALED: ClassVar[type[SealedPart] | None] = PlacementSealed

    planned_start: date
    planned_end: date | None = None


class ConfirmedV1(PlacementEvent):
    """The employer says yes."""

    TYPE: ClassVar[str] = "jalons.placement.confirmed.v1"
    SEALED: ClassVar[type[SealedPart] | None] = PlacementSealed

    planned_start: date
    planned_end: date | None = None


class StartedV1(PlacementEvent):
    """The person works there."""

    TYPE: ClassVar[str] = "jalons.placement.started.v1"
    SEALED: ClassVar[type[SealedPart] | None] = PlacementSealed

    started_on: date


class EndedSealed(Reasoned):
    """Why it ended."""

    kind: PlacementKind
    reason: EndReason


class EndedV1(PlacementEvent):
    """The placement is over."""

    TYPE: ClassVar[str] = "jalons.placement.ended.v1"
    SEALED: ClassVar[type[SealedPart] | None] = EndedSealed

    ended_on: date


class RefusedSealed(Reasoned):
    """Why not."""

    kind: PlacementKind
    reason: DeclineReason


class RefusedV1(PlacementEvent):
    """The employer says no."""

    TYPE: ClassVar[str] = "jalons.placement.refused.v1"
    SEALED: ClassVar[type[SealedPart] | None] = RefusedSealed


class CancelledV1(PlacementEvent):
    """It was confirmed and will not begin."""

    TYPE: ClassVar[str] = "jalons.placement.cancelled.v1"
    SEALED: ClassVar[type[SealedPart] | None] = EndedSealed


class EvaluatedSealed(SealedPart):
    """How far its goal is reached, if that was said."""

    kind: PlacementKind
    outcome: ReferralOutcome | None = None


class EvaluatedV1(PlacementEvent):
    """Those concerned looked together at how it goes."""

    TYPE: ClassVar[str] = "jalons.placement.evaluated.v1"
    SEALED: ClassVar[type[SealedPart] | None] = EvaluatedSealed


class FollowedUpSealed(SealedPart):
    """What became of the person."""

    kind: PlacementKind
    situation: Situation


class FollowedUpV1(PlacementEvent):
    """The home partner says how the person fares. months: since the placement ended."""

    TYPE: ClassVar[str] = "jalons.placement.followed_up.v1"
    SEALED: ClassVar[type[SealedPart] | None] = FollowedUpSealed

    months: FollowUpMonths


class NewsDueV1(PlacementEvent):
    """A planned start or end has passed, and nothing was said. since: the day it was due."""

    TYPE: ClassVar[str] = "jalons.placement.news_due.v1"

    about: NewsDue
    since: date


class EndNearV1(PlacementEvent):
    """Sixty days before its planned end: time to think of what follows."""

    TYPE: ClassVar[str] = "jalons.placement.end_near.v1"

    planned_end: date


class FollowUpDueV1(PlacementEvent):
    """So many months after its end: how does the person fare?"""

    TYPE: ClassVar[str] = "jalons.placement.follow_up_due.v1"

    months: FollowUpMonths
