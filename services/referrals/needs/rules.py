"""Which need a decline leaves unmet, and which offer of the directory meets an expressed need."""

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
    """A need of a person or of a commune. ref, home: the person and the home partner; None for a need of a commune.
    met: whether an offer meets it; offer: which, if known. on: the day it was expressed."""

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


def _of_type(*types: str) -> Callable[[Offer], bool]:
    return lambda offer: offer["type"] in types


MEETS: Mapping[NeedDomain, Callable[[Offer], bool]] = {
    "mobilite": lambda offer: bool(offer["transport_help"]),
    "garde_enfants": lambda offer: bool(offer["childcare"]),
    "qualification": _of_type("preformation", "formation"),
    "emploi": _of_type("emploi", "art60", "stage", "creation_activite"),
}
"""Domain → whether an offer meets the need (a proposal). The directory has nothing about the other domains: their needs
are unmet unless their author says otherwise."""


def meeting(domain: NeedDomain, offers: Iterable[Offer], on: date) -> str | None:
    """The first offer that meets a need: open, with a free place, within reach. offers: rows of the directory, nearest
    first, with `taken` and `distance_km`."""
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
