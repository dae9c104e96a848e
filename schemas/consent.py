"""What a person agreed to share, with whom and for what; without it nothing is disclosed."""

from __future__ import annotations

from datetime import date
from typing import ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from schemas.codes import Attribute, ConsentChannel, Purpose, Reference, Slug
from schemas.envelope import Payload, SealedPart
from schemas.topics import PATHWAYS, Topic


class GivenSealed(SealedPart):
    """What may be shared, and how the person said so."""

    attributes: tuple[Attribute, ...]
    channel: ConsentChannel


class GivenV1(Payload):
    """A person agreed. Either partners are named, or a convention whose parties they are; restored: of those parties,
    the ones that hold something of the person already."""

    TYPE: ClassVar[str] = "jalons.consent.given.v1"
    TOPIC: ClassVar[Topic] = PATHWAYS
    SEALED: ClassVar[type[SealedPart] | None] = GivenSealed

    consent_id: UUID
    home: Slug
    partners: tuple[Slug, ...]
    convention_id: UUID | None = None
    purposes: tuple[Purpose, ...]
    expires_on: date | None = None
    restored: tuple[Slug, ...] = ()


class Holding(BaseModel):
    """A partner that holds something of a person. references: of the acts it shares; contact: whom it may ask;
    as_employer: it met the person as an employer, outside professional secrecy."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    partner: Slug
    contact: Slug
    references: tuple[Reference, ...]
    as_employer: bool = False


class ConsentEnded(Payload):
    """An agreement is no more. partners: those that held something under it and that no other agreement covers: from
    here on they are shown nothing of the person. holdings: the same, with what each of them holds."""

    TOPIC: ClassVar[Topic] = PATHWAYS

    consent_id: UUID
    home: Slug
    partners: tuple[Slug, ...]
    holdings: tuple[Holding, ...] = ()
    trial: bool = False


class WithdrawnV1(ConsentEnded):
    """A person took an agreement back, or gave another in its place."""

    TYPE: ClassVar[str] = "jalons.consent.withdrawn.v1"


class ExpiredV1(ConsentEnded):
    """An agreement was given up to a day, which is over."""

    TYPE: ClassVar[str] = "jalons.consent.expired.v1"
