"""What is needed: which need a decline leaves unmet, and which offer of the directory meets one that is expressed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from schemas.codes import NeedDomain, NeedKind, NeedSource
from schemas.need import ExpressedSealed, ExpressedV1, ReportedV1, UnmetSealed, UnmetV1
from schemas.reasons import OF_THE_OFFER, UNMET_NEED
from schemas.referral import DeclinedSealed, DeclinedV1
from services.referrals.directory.fitting import free_places, reachable
from services.referrals.directory.rules import valid

Offer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Need:
    """What somebody needs, or what is needed in a commune. ref, home: the person and who accompanies them; None where
    it is of nobody. met: whether an offer meets it; offer: which, if it is known. on: the day it was said."""

    need_id: UUID
    said_by: str
    domain: NeedDomain
    kind: NeedKind
    source: NeedSource
    commune_nis: str
    met: bool
    offer: str | None
    on: date
    ref: UUID | None = None
    home: str | None = None
    trial: bool = False


def expressed(need: Need) -> tuple[ExpressedV1 | ReportedV1, ExpressedSealed | None]:
    """The event that says it: of a person with what is needed sealed, of nobody in clear."""
    about = {name: getattr(need, name) for name in ("domain", "kind", "commune_nis", "met", "offer")}
    common = {name: getattr(need, name) for name in ("need_id", "said_by", "source", "trial")}
    if need.home is None:
        return ReportedV1.model_validate(common | about), None
    return ExpressedV1.model_validate(common | {"home": need.home}), ExpressedSealed.model_validate(about)


def is_unmet(why: DeclinedSealed) -> bool:
    """Whether a decline shows that something is missing."""
    return why.reason in UNMET_NEED


def unmet(need_id: UUID, declined: DeclinedV1, why: DeclinedSealed, commune_nis: str) -> tuple[UnmetV1, UnmetSealed]:
    """The need that a decline leaves unmet, for a decline that `is_unmet`. commune_nis: where the person lives."""
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


def _of_type(*types: str) -> Callable[[Offer], bool]:
    return lambda offer: offer["type"] in types


MEETS: Mapping[NeedDomain, Callable[[Offer], bool]] = {
    "mobilite": lambda offer: bool(offer["transport_help"]),
    "garde_enfants": lambda offer: bool(offer["childcare"]),
    "qualification": _of_type("preformation", "formation"),
    "emploi": _of_type("emploi", "art60", "stage", "creation_activite"),
}
"""By which offers a need is met (a proposal). Of the other domains the directory says nothing: they are unmet unless
who says the need says otherwise."""


def meeting(domain: NeedDomain, offers: Iterable[Offer], on: date) -> str | None:
    """The first of these offers that meets a need: open, with a place left, within reach. offers: rows of the
    directory, nearest first, with taken and distance_km."""
    meets = MEETS.get(domain)
    fit = (
        offer["offer"]
        for offer in offers
        if meets
        and meets(offer)
        and valid(offer, on)
        and free_places(offer) > 0
        and reachable(offer["distance_km"], offer["transport_help"])
    )
    return next(fit, None)
