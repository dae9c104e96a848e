"""What happens to an offer: a place, a course or a job that a partner can give."""

from __future__ import annotations

from datetime import date
from typing import ClassVar

from schemas.codes import Moment, Nis, OfferStatus, OfferType, Slug
from schemas.envelope import Payload
from schemas.topics import DIRECTORY, Topic


class OfferRecord(Payload):
    """An offer in full; its title is public text, never about a person."""

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
    """An offer is open, for the first time or with a changed record."""

    TYPE: ClassVar[str] = "jalons.offer.published.v1"


class CapacityChangedV1(OfferRecord):
    """An offer's last place was taken, or one is free again: its status says which. Who took it is not said."""

    TYPE: ClassVar[str] = "jalons.offer.capacity_changed.v1"

    taken: int


class ClosedV1(OfferRecord):
    """An offer takes nobody any more."""

    TYPE: ClassVar[str] = "jalons.offer.closed.v1"
