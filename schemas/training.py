"""Events of a training: any of the network's courses, bilans and accompaniments."""

from __future__ import annotations

from datetime import date
from typing import ClassVar
from uuid import UUID

from schemas.codes import (
    AgreementEnd,
    CancelReason,
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
    """The fields of every event of a training. `moment` follows from its kind, which is sealed.

    uncovered: parties that no agreement covers any more; they see reference and status only.
    """

    TOPIC: ClassVar[Topic] = PATHWAYS

    training_id: UUID
    reference: Reference
    home: Slug
    operator: Slug
    referral_id: UUID | None = None
    offer: Slug | None = None
    moment: Moment
    trial: bool = False
    uncovered: tuple[Slug, ...] = ()


class TrainingSealed(SealedPart):
    """The kind of course, and the person's goal."""

    kind: TrainingKind
    tool: Tool | None = None
    goal: Goal
    chosen_by: ChosenBy


class EnrolledV1(TrainingEvent):
    """The person was enrolled."""

    TYPE: ClassVar[str] = "jalons.training.enrolled.v1"
    SEALED: ClassVar[type[SealedPart] | None] = TrainingSealed

    planned_start: date
    planned_end: date | None = None


class StartedV1(TrainingEvent):
    """The person started."""

    TYPE: ClassVar[str] = "jalons.training.started.v1"
    SEALED: ClassVar[type[SealedPart] | None] = TrainingSealed

    started_on: date


class CompletedSealed(SealedPart):
    """What was acquired, and in how many hours."""

    kind: TrainingKind
    outcome: TrainingOutcome
    hours_done: int


class CompletedV1(TrainingEvent):
    """The person completed the training."""

    TYPE: ClassVar[str] = "jalons.training.completed.v1"
    SEALED: ClassVar[type[SealedPart] | None] = CompletedSealed


class StopSealed(Reasoned):
    """The kind of course, and why it stopped."""

    kind: TrainingKind
    reason: CancelReason


class SuspendedSealed(Reasoned):
    """The kind of course, and why it is suspended, if recorded."""

    kind: TrainingKind
    reason: EndReason | None = None


class SuspendedV1(TrainingEvent):
    """The training is suspended; the step stays open."""

    TYPE: ClassVar[str] = "jalons.training.suspended.v1"
    SEALED: ClassVar[type[SealedPart] | None] = SuspendedSealed


class ResumedV1(TrainingEvent):
    """The training continues."""

    TYPE: ClassVar[str] = "jalons.training.resumed.v1"


class AttendanceFallingV1(TrainingEvent):
    """« Présence en baisse »: the person attends less often; the home partner is told."""

    TYPE: ClassVar[str] = "jalons.training.attendance_falling.v1"


class InterruptedV1(TrainingEvent):
    """The training stopped early."""

    TYPE: ClassVar[str] = "jalons.training.interrupted.v1"
    SEALED: ClassVar[type[SealedPart] | None] = StopSealed


class CancelledV1(TrainingEvent):
    """The training was cancelled before it started. agreement_ended: the hub did, because nothing covers a party any
    more, and how that came."""

    TYPE: ClassVar[str] = "jalons.training.cancelled.v1"
    SEALED: ClassVar[type[SealedPart] | None] = StopSealed

    agreement_ended: AgreementEnd | None = None


class NewsDueV1(TrainingEvent):
    """A planned start or end passed and nothing was recorded. since: the day it was due."""

    TYPE: ClassVar[str] = "jalons.training.news_due.v1"

    about: NewsDue
    since: date
