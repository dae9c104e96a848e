"""Events of persons who create an activity of their own."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from schemas.codes import ActivityForm, Slug
from schemas.envelope import Payload, SealedPart
from schemas.topics import PATHWAYS, Topic


class CreatedSealed(SealedPart):
    """The activity's form."""

    form: ActivityForm


class CreatedV1(Payload):
    """A person became self-employed. It ends the accompaniment that led to it (training_id) and opens no step.
    referral_id: the referral that it answers."""

    TYPE: ClassVar[str] = "jalons.activity.created.v1"
    TOPIC: ClassVar[Topic] = PATHWAYS
    SEALED: ClassVar[type[SealedPart] | None] = CreatedSealed

    activity_id: UUID
    home: Slug
    said_by: Slug
    training_id: UUID | None = None
    referral_id: UUID | None = None
    trial: bool = False
