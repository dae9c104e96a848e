"""Which need a decline leaves unmet, and which offer of the directory meets an expressed need."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from schemas.codes import Moment, NeedDomain, NeedKind, NeedSource, OfferType
from schemas.need import ExpressedSealed, ExpressedV1, ReportedV1, UnmetSealed, UnmetV1
from schemas.reasons import OF_THE_OFFER, UNMET_NEED
from schemas.referral import DeclinedSealed, DeclinedV1
from services.referrals.directory.fitting import free_places, reachable
from services.referrals.directory.rules import valid

Offer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Need:
    """A need of a person or of a commune. ref, home: the person and the home partner; None for a need of a commune.
    met: whether an offer meets it; offer: which, if known. on: the day it was expressed.

    A need that a decline showed was said by nobody: it has the declined referral instead, and as its subject an
    obstacle (domain), a type of offer, or the moment alone.
    """

    need_id: UUID
    said_by: str | None
    domain: NeedDomain | None
    kind: NeedKind
    source: NeedSource
    commune_nis: str
    met: bool
    offer: str | None
    on: date
    ref: UUID | None = None
    home: str | None = None
    trial: bool = False
    referral_id: UUID | None = None
    reference: str | None = None
    moment: Moment | None = None
    offer_type: OfferType | None = None


def expressed(need: Need) -> tuple[ExpressedV1 | ReportedV1, ExpressedSealed | None]:
    """The event that records a need. A person's need is in the sealed part, a commune's in clear."""
    about = {name: getattr(need, name) for name in ("domain", "kind", "commune_nis", "met", "offer")}
    common = {name: getattr(need, name) for name in ("need_id", "said_by", "source", "trial")}
    if need.home is None:
        return ReportedV1.model_validate(common | about), None
    return ExpressedV1.model_validate(common | {"home": need.home}), ExpressedSealed.model_validate(about)


def is_unmet(why: DeclinedSealed) -> bool:
    """Whether a decline leaves a need unmet."""
    return why.reason in UNMET_NEED


def unmet(need_id: UUID, declined: DeclinedV1, why: DeclinedSealed, commune_nis: str) -> tuple[UnmetV1, UnmetSealed]:
    """The event of the need that a decline leaves unmet; see `is_unmet`. commune_nis: where the person lives."""
    of = UNMET_NEED[why.reason]
    event = UnmetV1(
        need_id=need_id,
        home=declined.home,
        referral_id=declined.referral_id,
        moment=declined.moment,
        trial=declined.trial,
    )
    if of == OF_THE_OFFER:
        return event, UnmetSealed(offer_type=declined.offer_type, commune_nis=commune_nis)
    return event, UnmetSealed(obstacle=of, commune_nis=commune_nis)


def shown_by(event: UnmetV1, sealed: UnmetSealed, declined: DeclinedV1, on: date, ref: UUID) -> Need:
    """The need that a decline showed, as it is kept for the home partner."""
    return Need(
        need_id=event.need_id,
        said_by=None,
        domain=sealed.obstacle,
        kind="need",
        source="partner",
        commune_nis=sealed.commune_nis,
        met=False,
        offer=None,
        on=on,
        ref=ref,
        home=event.home,
        trial=event.trial,
        referral_id=event.referral_id,
        reference=declined.reference,
        moment=event.moment,
        offer_type=sealed.offer_type,
    )


MEETS: Mapping[NeedDomain, frozenset[OfferType]] = {
    "qualification": frozenset({"preformation", "formation"}),
    "emploi": frozenset({"emploi", "art60", "stage", "creation_activite"}),
}
"""Domain → the types of offers that answer it (a proposal). No type answers the other domains: a course that helps with
the way there is no answer to a need of mobility. Such needs are unmet unless their author says otherwise."""


def meeting(domain: NeedDomain, offers: Iterable[Offer], on: date) -> str | None:
    """The first offer that meets a need: open, with a free place, within reach. offers: rows of the directory, nearest
    first, with `taken` and `distance_km`."""
    types: Collection[str] = MEETS.get(domain, ())
    fit = (
        offer["offer"]
        for offer in offers
        if offer["type"] in types
        and valid(offer, on)
        and free_places(offer) > 0
        and reachable(offer["distance_km"], offer["transport_help"])
    )
    return next(fit, None)
