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
    """A person agreed to share, with named partners or with the parties of a convention.

    restored: partners that hold an earlier disclosure and that nothing covered until now; they are shown the person
    again.
    """

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


class CoverEnded(Payload):
    """What covered some partners ended: they are no longer shown anything of the person. partners: those that hold a
    disclosure and that nothing else covers. holdings: the same, with the acts of each."""

    TOPIC: ClassVar[Topic] = PATHWAYS

    home: Slug
    partners: tuple[Slug, ...]
    holdings: tuple[Holding, ...] = ()
    trial: bool = False


class ConsentEnded(CoverEnded):
    """A consent ended."""

    consent_id: UUID


class WithdrawnV1(ConsentEnded):
    """A person withdrew a consent, or replaced it by another."""

    TYPE: ClassVar[str] = "jalons.consent.withdrawn.v1"


class ExpiredV1(ConsentEnded):
    """A consent passed its last day."""

    TYPE: ClassVar[str] = "jalons.consent.expired.v1"


class LapsedV1(CoverEnded):
    """A convention that carried the person's acts was suspended or ended."""

    TYPE: ClassVar[str] = "jalons.consent.lapsed.v1"


class RestoredV1(Payload):
    """A convention carries the person's acts again. partners: those that are shown the person again."""

    TYPE: ClassVar[str] = "jalons.consent.restored.v1"
    TOPIC: ClassVar[Topic] = PATHWAYS

    home: Slug
    partners: tuple[Slug, ...]
    trial: bool = False


class RenewalDueV1(Payload):
    """A consent ends and acts depend on it: the home partner is asked to renew it with the person, or to end them.

    ends_on: its last day. number: 1 thirty days before, 2 on the day. cancelled_on: the day on which the hub cancels
    what nobody took up by then. partners, holdings: those that nothing else covers, with their acts.
    """

    TYPE: ClassVar[str] = "jalons.consent.renewal_due.v1"
    TOPIC: ClassVar[Topic] = PATHWAYS

    consent_id: UUID
    home: Slug
    ends_on: date
    number: int
    cancelled_on: date
    partners: tuple[Slug, ...]
    holdings: tuple[Holding, ...] = ()
    trial: bool = False
