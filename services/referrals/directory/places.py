"""A person holds a place of an offer from acceptance until the referral ends; no offer has more taken than places."""

from __future__ import annotations

from services.referrals.acts.rules import Act, Placement, Referral

REFERRAL_HOLDS = ("accepted", "started")
"""Statuses in which a referral holds a place of its offer. A referral that leaves them gives the place back."""
PLACEMENT_HOLDS = ("started", "ended")
"""Statuses in which a placement on a vacancy (an offer of type emploi) holds a place. A job that ends frees none."""


class NoPlaceLeft(Exception):
    """All places of the offer are taken. places: the number it has."""

    def __init__(self, places: int) -> None:
        super().__init__(places)
        self.places = places


def moved(before: Act, after: Act) -> tuple[str, bool] | None:
    """The offer of which a step takes a place (True) or gives one back (False); None if it does neither."""
    if isinstance(before, Referral):
        offer, holding = before.offer, REFERRAL_HOLDS
    elif isinstance(before, Placement):
        offer, holding = before.facts.get("offer"), PLACEMENT_HOLDS
    else:
        return None
    takes = after.status in holding
    return (offer, takes) if offer and takes != (before.status in holding) else None


def status(stated: str, places: int, taken: int) -> str:
    """An offer's status: closed if its partner says so, else full or published by the number of places taken."""
    if stated == "closed":
        return stated
    return "full" if taken >= places else "published"
