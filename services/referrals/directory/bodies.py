"""Request bodies of the directory: partners, clients, conventions, offers and communes."""

from __future__ import annotations

from typing import Any, Self
from uuid import UUID

from pydantic import Field, model_validator

from jalons.mailboxes import Mailbox
from schemas import codes
from services.referrals.calls.bodies import Body, Commune, Day, Days, Name, Phone, Text


class PlaceBody(Body):
    """A place where a partner receives persons; acts and offers name it by its code."""

    code: codes.PlaceCode
    address: Text


class PartnerBody(Body):
    """`PUT /partners/{partner}`; mailbox and phone are an office's, never a person's. `front`: it speaks to employers
    for the network; at most one active partner does."""

    name: Name
    kind: codes.PartnerKind
    sector: codes.Sector
    commune_nis: Commune
    moments: list[codes.Moment]
    secrecy_class: codes.SecrecyClass
    mailbox: Mailbox
    phone: Phone
    phone_hours: Text | None = None
    address: Text | None = None
    language: codes.Language = "fr"
    trial: bool = False
    places: list[PlaceBody] = Field(default=[], max_length=50)
    front: bool = False
    valid_from: Day | None = None
    valid_to: Day | None = None

    @model_validator(mode="after")
    def _each_place_once(self) -> Self:
        if len({place.code for place in self.places}) < len(self.places):
            raise ValueError("two places have the same code")
        return self


class CommuneBody(Body):
    """`PUT /communes/{nis}`: where its chief place lies, in degrees (WGS 84)."""

    name: Name
    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)


class StatusBody(Body):
    """`PUT /partners/{partner}/status`."""

    status: codes.PartnerStatus


class ClientBody(Body):
    """`POST /partners/{partner}/clients`."""

    scopes: list[str] = Field(default=["partner"], min_length=1, max_length=3)


class ScopeBody(Body):
    """One direction a convention opens."""

    referrer: codes.Slug = Field(alias="from")
    recipient: codes.Slug = Field(alias="to")
    moments: list[codes.Moment] = Field(min_length=1)


class ConventionBody(Body):
    """`POST /conventions`.

    renews: the convention it follows on. If it allows nothing that the other did not, agreements given for the parties
    of the other hold under it.
    """

    parties: list[codes.Slug] = Field(min_length=2, max_length=100)
    valid_from: Day
    valid_to: Day | None = None
    scope: list[ScopeBody] = Field(min_length=1, max_length=500)
    shared_attributes: list[codes.Attribute]
    legal_basis: codes.LegalBasis
    reply_within_working_days: int = Field(default=5, ge=1, le=60)
    remind_on_working_days: list[Days] = Field(default=[3, 5], max_length=5)
    expire_after_days: Days = 30
    retention_months: int = Field(default=24, ge=1, le=120)
    escalate_on_working_day: Days = 7
    renews: UUID | None = None


class OfferBody(Body):
    """`PUT /offers/{offer}`. A status `full` is read as `published`: the hub sets it from the places."""

    partner: codes.Slug
    title: Name
    moment: codes.Moment
    type: codes.OfferType
    places: int = Field(ge=0, le=10_000)
    commune_nis: Commune
    status: codes.OfferStatus = "published"
    transport_help: bool = False
    childcare: bool = False
    mailbox: Mailbox | None = None
    place: codes.PlaceCode | None = None
    project: codes.Slug | None = None
    valid_from: Day | None = None
    valid_to: Day | None = None


EXAMPLES: dict[tuple[str, str], Any] = {
    ("PUT", "/partners/{partner}"): {
        "name": "EFT Le Trusquin",
        "kind": "training_operator",
        "sector": "associative",
        "commune_nis": "83034",
        "moments": ["preformation", "formation"],
        "secrecy_class": "discretion",
        "mailbox": "accueil@le-trusquin.example",
        "phone": "+32 84 00 00 00",
        "address": "Rue du Marché 1, 6900 Marche-en-Famenne",
        "places": [{"code": "atelier", "address": "Rue de la Gare 3, 6900 Marche-en-Famenne"}],
    },
    ("PUT", "/partners/{partner}/status"): {"status": "suspended"},
    ("POST", "/partners/{partner}/clients"): {"scopes": ["partner", "read:counts"]},
    ("POST", "/conventions"): {
        "parties": ["cpas-hotton", "le-trusquin"],
        "valid_from": "2026-01-01",
        "scope": [{"from": "cpas-hotton", "to": "le-trusquin", "moments": ["formation"]}],
        "shared_attributes": ["age_band", "obstacles"],
        "legal_basis": "6.1.e",
    },
    ("PUT", "/offers/{offer}"): {
        "partner": "le-trusquin",
        "title": "Auxiliaire polyvalente de soins",
        "moment": "formation",
        "type": "formation",
        "places": 15,
        "commune_nis": "83034",
    },
    ("PUT", "/communes/{nis}"): {"name": "Hotton", "latitude": 50.2675, "longitude": 5.4465},
}
