"""Events of a partner: an organisation's public record, never a person's."""

from __future__ import annotations

from datetime import date
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from schemas.codes import Language, Moment, Nis, PartnerKind, PartnerStatus, PlaceCode, SecrecyClass, Sector, Slug
from schemas.envelope import Payload
from schemas.topics import DIRECTORY, Topic


class Place(BaseModel):
    """A place where a partner receives persons. address: of an office, never of a person."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    code: PlaceCode
    address: str


class PartnerRecord(Payload):
    """A partner's record in the directory; the mailbox and the phone are an office's. front: it speaks to employers for
    the whole network."""

    TOPIC: ClassVar[Topic] = DIRECTORY

    slug: Slug
    name: str
    kind: PartnerKind
    sector: Sector
    commune_nis: Nis
    moments: tuple[Moment, ...]
    secrecy_class: SecrecyClass
    status: PartnerStatus
    mailbox: str
    phone: str
    phone_hours: str | None = None
    address: str | None = None
    language: Language = "fr"
    trial: bool = False
    places: tuple[Place, ...] = ()
    front: bool = False
    valid_from: date | None = None
    valid_to: date | None = None


class RegisteredV1(PartnerRecord):
    """A partner joined the directory."""

    TYPE: ClassVar[str] = "jalons.partner.registered.v1"


class UpdatedV1(PartnerRecord):
    """A partner's record changed; the event has the whole record."""

    TYPE: ClassVar[str] = "jalons.partner.updated.v1"


class SuspendedV1(PartnerRecord):
    """A partner neither sends nor receives until it is active again."""

    TYPE: ClassVar[str] = "jalons.partner.suspended.v1"


class LeftV1(PartnerRecord):
    """A partner left the network; its history stays."""

    TYPE: ClassVar[str] = "jalons.partner.left.v1"
