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


class TrainingEvent(Payload):
    """What every event of a training carries. `moment` follows from its kind, which is sealed."""

    TOPIC: ClassVar[Topic] = PATHWAYS

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

    planned_start: date
    planned_end: date | None = None


class StartedV1(TrainingEvent):
    """The person began."""

    TYPE: ClassVar[str] = "jalons.training.started.v1"
    SEALED: ClassVar[type[SealedPart] | None] = TrainingSealed

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


class CancelledV1(TrainingEvent):
    """It will not begin."""

    TYPE: ClassVar[str] = "jalons.training.cancelled.v1"
    SEALED: ClassVar[type[SealedPart] | None] = StopSealed


class NewsDueV1(TrainingEvent):
    """A planned start or end has passed, and nothing was said. since: the day it was due."""

    TYPE: ClassVar[str] = "jalons.training.news_due.v1"

    about: NewsDue
    since: date
