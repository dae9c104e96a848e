"""What a person agreed to share, with whom and for what; without it nothing is disclosed."""

from __future__ import annotations

from datetime import date
from typing import ClassVar
from uuid import UUID

from schemas.codes import Attribute, ConsentChannel, Purpose, Slug
from schemas.envelope import Payload, SealedPart
from schemas.topics import PATHWAYS, Topic


class GivenSealed(SealedPart):
    """What may be shared, and how the person said so."""

    attributes: tuple[Attribute, ...]
    channel: ConsentChannel


class GivenV1(Payload):
    """A person agreed. Either partners are named, or a convention whose parties they are."""

    TYPE: ClassVar[str] = "jalons.consent.given.v1"
    TOPIC: ClassVar[Topic] = PATHWAYS
    SEALED: ClassVar[type[SealedPart] | None] = GivenSealed

    consent_id: UUID
    home: Slug
    partners: tuple[Slug, ...]
    convention_id: UUID | None = None
    purposes: tuple[Purpose, ...]
    expires_on: date | None = None


class WithdrawnV1(Payload):
    """A person took an agreement back."""

    TYPE: ClassVar[str] = "jalons.consent.withdrawn.v1"
    TOPIC: ClassVar[Topic] = PATHWAYS

    consent_id: UUID
    home: Slug
    partners: tuple[Slug, ...]


class ExpiredV1(Payload):
    """An agreement came to the end of its time: it covers nothing any more."""

    TYPE: ClassVar[str] = "jalons.consent.expired.v1"
    TOPIC: ClassVar[Topic] = PATHWAYS

    consent_id: UUID
    home: Slug
    partners: tuple[Slug, ...]
