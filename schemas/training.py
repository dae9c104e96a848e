"""What happens to a training: any of the network's courses, bilans and accompaniments."""

from __future__ import annotations

from datetime import date
from typing import ClassVar
from uuid import UUID

from schemas.codes import (
    ChosenBy,
    EndReason,
    Goal,
    Moment,
    NewsDue,
    Reference,
    Slug,
    Tool,
    TrainingKind,
    TrainingOutcome,
)
from schemas.envelope import Payload, Reasoned, SealedPart
from schemas.topics import PATHWAYS, Topic

_OPERATOR = frozenset({"training_id", "reference", "operator", "referral_id", "offer", "moment"})


class TrainingEvent(Payload):
    """What every event of a training carries. `moment` follows from its kind, which is sealed."""

    TOPIC: ClassVar[Topic] = PATHWAYS
    SEEN_BY: ClassVar[dict[str, frozenset[str]]] = {"operator": _OPERATOR}

    training_id: UUID
    reference: Reference
    home: Slug
    operator: Slug
    referral_id: UUID | None = None
    offer: Slug | None = None
    moment: Moment
    trial: bool = False


class TrainingSealed(SealedPart):
    """What course, and its sense for the person."""

    kind: TrainingKind
    tool: Tool | None = None
    goal: Goal
    chosen_by: ChosenBy


class EnrolledV1(TrainingEvent):
    """A place is kept for the person."""

    TYPE: ClassVar[str] = "jalons.training.enrolled.v1"
    SEALED: ClassVar[type[SealedPart] | None] = TrainingSealed
    SEEN_BY: ClassVar[dict[str, frozenset[str]]] = {
        "operator": _OPERATOR
        | {"planned_start", "planned_end"}
        | {"sealed.kind", "sealed.tool", "sealed.goal", "sealed.chosen_by"}
    }

    planned_start: date
    planned_end: date | None = None


class StartedV1(TrainingEvent):
    """The person began."""

    TYPE: ClassVar[str] = "jalons.training.started.v1"
    SEALED: ClassVar[type[SealedPart] | None] = TrainingSealed
    SEEN_BY: ClassVar[dict[str, frozenset[str]]] = {
        "operator": _OPERATOR | {"started_on"} | {"sealed.kind", "sealed.tool", "sealed.goal", "sealed.chosen_by"}
    }

    started_on: date


class CompletedSealed(SealedPart):
    """What was acquired, and in how many hours."""

    kind: TrainingKind
    outcome: TrainingOutcome
    hours_done: int


class CompletedV1(TrainingEvent):
    """The person went to the end."""

    TYPE: ClassVar[str] = "jalons.training.completed.v1"
    SEALED: ClassVar[type[SealedPart] | None] = CompletedSealed
    SEEN_BY: ClassVar[dict[str, frozenset[str]]] = {
        "operator": _OPERATOR | {"sealed.kind", "sealed.outcome", "sealed.hours_done"}
    }


class StopSealed(Reasoned):
    """What stops, and why."""

    kind: TrainingKind
    reason: EndReason


class SuspendedSealed(Reasoned):
    """What rests, and why if it was said."""

    kind: TrainingKind
    reason: EndReason | None = None


class SuspendedV1(TrainingEvent):
    """It rests for a while; the step stays open."""

    TYPE: ClassVar[str] = "jalons.training.suspended.v1"
    SEALED: ClassVar[type[SealedPart] | None] = SuspendedSealed
    SEEN_BY: ClassVar[dict[str, frozenset[str]]] = {"operator": _OPERATOR | {"sealed.kind", "sealed.reason"}}


class ResumedV1(TrainingEvent):
    """It goes on."""

    TYPE: ClassVar[str] = "jalons.training.resumed.v1"


class AttendanceFallingV1(TrainingEvent):
    """« Présence en baisse »: the person comes less; the one who accompanies should know."""

    TYPE: ClassVar[str] = "jalons.training.attendance_falling.v1"


class InterruptedV1(TrainingEvent):
    """It stops before its end."""

    TYPE: ClassVar[str] = "jalons.training.interrupted.v1"
    SEALED: ClassVar[type[SealedPart] | None] = StopSealed
    SEEN_BY: ClassVar[dict[str, frozenset[str]]] = {"operator": _OPERATOR | {"sealed.kind", "sealed.reason"}}


class CancelledV1(TrainingEvent):
    """It will not begin."""

    TYPE: ClassVar[str] = "jalons.training.cancelled.v1"
    SEALED: ClassVar[type[SealedPart] | None] = StopSealed
    SEEN_BY: ClassVar[dict[str, frozenset[str]]] = {"operator": _OPERATOR | {"sealed.kind", "sealed.reason"}}


class NewsDueV1(TrainingEvent):
    """A planned start or end has passed, and nothing was said. since: the day it was due."""

    TYPE: ClassVar[str] = "jalons.training.news_due.v1"
    SEEN_BY: ClassVar[dict[str, frozenset[str]]] = {"operator": _OPERATOR | {"about", "since"}}

    about: NewsDue
    since: date
