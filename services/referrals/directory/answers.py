"""What calls answer of partners, clients, conventions, offers and communes."""

from __future__ import annotations

from datetime import date, datetime
from typing import NotRequired
from uuid import UUID

from typing_extensions import TypedDict

from jalons.web.answers import Answers, Items, Page, Shown
from schemas import codes


class Place(TypedDict):
    """Where a partner receives persons."""

    code: codes.PlaceCode
    address: str


class Partner(Shown):
    """A partner's record; mailbox and phone are an office's."""

    slug: codes.Slug
    name: str
    kind: codes.PartnerKind
    sector: codes.Sector
    commune_nis: codes.Nis
    secrecy_class: codes.SecrecyClass
    status: codes.PartnerStatus
    language: codes.Language
    moments: list[codes.Moment]
    mailbox: str
    phone: str
    phone_hours: str | None
    address: str | None
    places: list[Place]
    trial: bool
    front: bool
    version: int
    valid_from: date | None
    valid_to: date | None


class ClientMade(TypedDict):
    """A client. client_secret: in the first answer only; a repeated call says `secret_already_shown`."""

    client_id: str
    scopes: list[str]
    client_secret: NotRequired[str]
    secret_already_shown: NotRequired[bool]


class Client(TypedDict):
    """A client, without its secret."""

    client_id: str
    scopes: list[str]
    created: datetime
    revoked: datetime | None


class ClientRevoked(TypedDict):
    """The client gets no token any more."""

    client_id: str
    revoked: bool


Direction = TypedDict("Direction", {"from": codes.Slug, "to": codes.Slug, "moments": list[codes.Moment]})
"""Who may refer to whom, for what."""


class Convention(Shown):
    """A convention. valid_to: its last day. carries: those before it whose agreements hold under it."""

    convention_id: UUID
    parties: list[codes.Slug]
    status: codes.ConventionStatus
    valid_from: date
    valid_to: date | None
    scope: list[Direction]
    shared_attributes: list[codes.Attribute]
    legal_basis: codes.LegalBasis
    reply_within_working_days: int
    remind_on_working_days: list[int]
    expire_after_days: int
    escalate_on_working_day: int
    retention_months: int
    renews: UUID | None
    carries: list[UUID]
    version: int


class _OfferRecord(Shown):
    offer: codes.Slug
    partner: codes.Slug
    title: str
    moment: codes.Moment
    type: codes.OfferType
    commune_nis: codes.Nis
    status: codes.OfferStatus
    places: int
    transport_help: bool
    childcare: bool
    mailbox: str | None
    place: codes.PlaceCode | None
    project: codes.Slug | None
    version: int
    valid_from: date | None
    valid_to: date | None
    last_confirmed_on: date | None


class OfferWritten(_OfferRecord):
    """An offer as it is stored."""


class Offer(_OfferRecord):
    """An offer, with the places it has left. distance_km: from the commune that was asked for; null if not known."""

    free_places: int
    partner_name: str
    partner_kind: codes.PartnerKind
    distance_km: NotRequired[int | None]


class Commune(TypedDict):
    """Where a commune lies, in degrees (WGS 84)."""

    nis: codes.Nis
    name: str
    latitude: float
    longitude: float


class CommuneWritten(Shown):
    """A commune as it is stored."""

    nis: codes.Nis
    name: str
    latitude: float
    longitude: float
    version: int


ANSWERS: Answers = {
    ("PUT", "/partners/{partner}"): Partner,
    ("GET", "/partners"): Page[Partner],
    ("GET", "/partners/{partner}"): Partner,
    ("PUT", "/partners/{partner}/status"): Partner,
    ("POST", "/partners/{partner}/clients"): ClientMade,
    ("GET", "/partners/{partner}/clients"): Items[Client],
    ("DELETE", "/partners/{partner}/clients/{client_id}"): ClientRevoked,
    ("POST", "/conventions"): Convention,
    ("GET", "/conventions"): Page[Convention],
    ("GET", "/conventions/{convention_id}"): Convention,
    ("POST", "/conventions/{convention_id}/{action}"): Convention,
    ("PUT", "/offers/{offer}"): OfferWritten,
    ("GET", "/offers"): Page[Offer],
    ("GET", "/offers/{offer}"): Offer,
    ("POST", "/offers/{offer}/confirm"): OfferWritten,
    ("PUT", "/communes/{nis}"): CommuneWritten,
    ("GET", "/communes"): Page[Commune],
}
