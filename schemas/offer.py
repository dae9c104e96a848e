"""Events of an offer: a place, a course or a job that a partner can give."""

from __future__ import annotations

from datetime import date
from typing import ClassVar

from schemas.codes import Moment, Nis, OfferStatus, OfferType, Slug
from schemas.envelope import Payload
from schemas.topics import DIRECTORY, Topic


class OfferRecord(Payload):
    """A whole offer; its title is public text, never about a person."""

    TOPIC: ClassVar[Topic] = DIRECTORY

    offer: Slug
    partner: Slug
    title: str
    moment: Moment
    type: OfferType
    status: OfferStatus
    places: int
    commune_nis: Nis
    transport_help: bool = False
    childcare: bool = False
    mailbox: str | None = None
    place: str | None = None
    project: Slug | None = None
    valid_from: date | None = None
    valid_to: date | None = None
    last_confirmed_on: date | None = None


class PublishedV1(OfferRecord):
    """An offer was published, or its record changed."""

    TYPE: ClassVar[str] = "jalons.offer.published.v1"


class CapacityChangedV1(OfferRecord):
    """An offer's last place was taken, or a place is free again; the status says which. The person is not named."""

    TYPE: ClassVar[str] = "jalons.offer.capacity_changed.v1"

    taken: int


class ClosedV1(OfferRecord):
    """An offer accepts nobody any more."""

    TYPE: ClassVar[str] = "jalons.offer.closed.v1"
