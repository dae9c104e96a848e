"""Events of consents: what a person agreed to share, with whom and for which purpose. Without one nothing is
disclosed."""

from __future__ import annotations

from datetime import date
from typing import ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from schemas.codes import AgreedAttribute, ConsentChannel, Purpose, Reference, Slug
from schemas.envelope import Payload, SealedPart
from schemas.topics import PATHWAYS, Topic


class GivenSealed(SealedPart):
    """The attributes that may be shared, and the channel by which the person agreed."""

    attributes: tuple[AgreedAttribute, ...]
    channel: ConsentChannel


class GivenV1(Payload):
    """A person agreed to share, with named partners or with the parties of a convention. restored: those parties that
    already hold an earlier disclosure of the person."""

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
    """A partner that holds an earlier disclosure of a person. references: of the acts it takes part in, oldest
    first; act: the id of the last of them; contact: the
    partner to ask, or `front` (schemas/routing.py); as_employer: it takes part as an employer, outside professional
    secrecy."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    partner: Slug
    contact: Slug
    references: tuple[Reference, ...]
    act: UUID | None = None
    as_employer: bool = False


class ConsentEnded(Payload):
    """A consent ended. partners: those that hold a disclosure under it and that no other consent covers; they are no
    longer shown anything of the person. holdings: the same, with the acts of each."""

    TOPIC: ClassVar[Topic] = PATHWAYS

    consent_id: UUID
    home: Slug
    partners: tuple[Slug, ...]
    holdings: tuple[Holding, ...] = ()
    trial: bool = False


class WithdrawnV1(ConsentEnded):
    """A person withdrew a consent, or replaced it by another."""

    TYPE: ClassVar[str] = "jalons.consent.withdrawn.v1"


class ExpiredV1(ConsentEnded):
    """A consent passed its last day."""

    TYPE: ClassVar[str] = "jalons.consent.expired.v1"
