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

_EMPLOYER = frozenset({"placement_id", "reference", "employer", "legal_employer", "offer"})
_PROPOSER = _EMPLOYER | {"proposer", "referral_id"}


def _seen(proposer: frozenset[str], employer: frozenset[str]) -> dict[str, frozenset[str]]:
    """The proposer sees its proposal; the employer the occupation, the kind and the dates, never who stands behind."""
    return {"proposer": _PROPOSER | proposer, "employer": _EMPLOYER | employer}


class PlacementEvent(Payload):
    """What every event of a placement carries. Host (`employer`) and legal employer are two partners."""

    TOPIC: ClassVar[Topic] = PATHWAYS
    SEEN_BY: ClassVar[dict[str, frozenset[str]]] = _seen(frozenset(), frozenset())

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


_DATES = frozenset({"planned_start", "planned_end"})
_WORK = frozenset({"sealed.kind", "sealed.occupation"})
_SENSE = frozenset({"sealed.goal", "sealed.chosen_by"})


class ProposedV1(PlacementEvent):
    """An employer is asked to take the person on."""

    TYPE: ClassVar[str] = "jalons.placement.proposed.v1"
    SEALED: ClassVar[type[SealedPart] | None] = PlacementSealed
    SEEN_BY: ClassVar[dict[str, frozenset[str]]] = _seen(_DATES | _WORK | _SENSE, _DATES | _WORK)

    planned_start: date
    planned_end: date | None = None


class ConfirmedV1(PlacementEvent):
    """The employer says yes."""

    TYPE: ClassVar[str] = "jalons.placement.confirmed.v1"
    SEALED: ClassVar[type[SealedPart] | None] = PlacementSealed
    SEEN_BY: ClassVar[dict[str, frozenset[str]]] = _seen(_DATES | _WORK | _SENSE, _DATES | _WORK)

    planned_start: date
    planned_end: date | None = None


class StartedV1(PlacementEvent):
    """The person works there."""

    TYPE: ClassVar[str] = "jalons.placement.started.v1"
    SEALED: ClassVar[type[SealedPart] | None] = PlacementSealed
    SEEN_BY: ClassVar[dict[str, frozenset[str]]] = _seen(
        frozenset({"started_on"}) | _WORK | _SENSE, frozenset({"started_on"}) | _WORK
    )

    started_on: date


class EndedSealed(Reasoned):
    """Why it ended."""

    kind: PlacementKind
    reason: EndReason


class EndedV1(PlacementEvent):
    """The placement is over."""

    TYPE: ClassVar[str] = "jalons.placement.ended.v1"
    SEALED: ClassVar[type[SealedPart] | None] = EndedSealed
    SEEN_BY: ClassVar[dict[str, frozenset[str]]] = _seen(
        frozenset({"ended_on", "sealed.kind", "sealed.reason"}), frozenset({"ended_on", "sealed.kind"})
    )

    ended_on: date


class RefusedSealed(Reasoned):
    """Why not."""

    kind: PlacementKind
    reason: DeclineReason


class RefusedV1(PlacementEvent):
    """The employer says no."""

    TYPE: ClassVar[str] = "jalons.placement.refused.v1"
    SEALED: ClassVar[type[SealedPart] | None] = RefusedSealed
    SEEN_BY: ClassVar[dict[str, frozenset[str]]] = _seen(
        frozenset({"sealed.kind", "sealed.reason"}), frozenset({"sealed.kind", "sealed.reason"})
    )


class CancelledV1(PlacementEvent):
    """It was confirmed and will not begin."""

    TYPE: ClassVar[str] = "jalons.placement.cancelled.v1"
    SEALED: ClassVar[type[SealedPart] | None] = EndedSealed
    SEEN_BY: ClassVar[dict[str, frozenset[str]]] = _seen(
        frozenset({"sealed.kind", "sealed.reason"}), frozenset({"sealed.kind"})
    )


class EvaluatedSealed(SealedPart):
    """How far its goal is reached, if that was said."""

    kind: PlacementKind
    outcome: ReferralOutcome | None = None


class EvaluatedV1(PlacementEvent):
    """Those concerned looked together at how it goes."""

    TYPE: ClassVar[str] = "jalons.placement.evaluated.v1"
    SEALED: ClassVar[type[SealedPart] | None] = EvaluatedSealed
    SEEN_BY: ClassVar[dict[str, frozenset[str]]] = _seen(
        frozenset({"sealed.kind", "sealed.outcome"}), frozenset({"sealed.kind", "sealed.outcome"})
    )


class FollowedUpSealed(SealedPart):
    """What became of the person."""

    kind: PlacementKind
    situation: Situation


class FollowedUpV1(PlacementEvent):
    """The home partner says how the person fares. months: since the placement ended."""

    TYPE: ClassVar[str] = "jalons.placement.followed_up.v1"
    SEALED: ClassVar[type[SealedPart] | None] = FollowedUpSealed
    SEEN_BY: ClassVar[dict[str, frozenset[str]]] = {
        "proposer": _PROPOSER | {"months", "sealed.kind", "sealed.situation"},
        "employer": frozenset(),
    }

    months: FollowUpMonths


class NewsDueV1(PlacementEvent):
    """A planned start or end has passed, and nothing was said. since: the day it was due."""

    TYPE: ClassVar[str] = "jalons.placement.news_due.v1"
    SEEN_BY: ClassVar[dict[str, frozenset[str]]] = _seen(frozenset({"about", "since"}), frozenset({"about", "since"}))

    about: NewsDue
    since: date


class EndNearV1(PlacementEvent):
    """Sixty days before its planned end: time to think of what follows."""

    TYPE: ClassVar[str] = "jalons.placement.end_near.v1"
    SEEN_BY: ClassVar[dict[str, frozenset[str]]] = {"proposer": _PROPOSER | {"planned_end"}, "employer": frozenset()}

    planned_end: date


class FollowUpDueV1(PlacementEvent):
    """So many months after its end: how does the person fare?"""

    TYPE: ClassVar[str] = "jalons.placement.follow_up_due.v1"
    SEEN_BY: ClassVar[dict[str, frozenset[str]]] = {"proposer": _PROPOSER | {"months"}, "employer": frozenset()}

    months: FollowUpMonths
