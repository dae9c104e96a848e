"""What becomes of those who are accompanied to create their own activity."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from schemas.codes import ActivityForm, Slug
from schemas.envelope import Payload, SealedPart
from schemas.topics import PATHWAYS, Topic


class CreatedSealed(SealedPart):
    """In what form."""

    form: ActivityForm


class CreatedV1(Payload):
    """A person works on their own account from now on: a fact that ends the accompaniment it came from and opens
    nothing. training_id: that accompaniment; referral_id: the referral it answers."""

    TYPE: ClassVar[str] = "jalons.activity.created.v1"
    TOPIC: ClassVar[Topic] = PATHWAYS
    SEALED: ClassVar[type[SealedPart] | None] = CreatedSealed

    activity_id: UUID
    home: Slug
    said_by: Slug
    training_id: UUID | None = None
    referral_id: UUID | None = None
    trial: bool = False
