"""What calls answer of needs."""

from __future__ import annotations

from datetime import date
from typing import NotRequired
from uuid import UUID

from jalons.web.answers import Answers, Page, Shown
from schemas import codes


class Need(Shown):
    """A need of a person, or of a commune. met_by_offer: whether an offer meets it; offer: which."""

    need_id: UUID
    kind: codes.NeedKind
    source: codes.NeedSource
    commune_nis: NotRequired[codes.Nis]
    met_by_offer: bool
    happened_on: date
    said_by: NotRequired[codes.Slug]
    domain: NotRequired[codes.NeedDomain]
    offer: NotRequired[codes.Slug]
    offer_type: NotRequired[codes.OfferType]
    moment: NotRequired[codes.Moment]
    reference: NotRequired[codes.Reference]
    beneficiary: NotRequired[UUID]


ANSWERS: Answers = {
    ("POST", "/needs"): Need,
    ("GET", "/needs"): Page[Need],
    ("GET", "/needs/{need_id}"): Need,
}
