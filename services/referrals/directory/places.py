"""A place of an offer is a person's from acceptance until that referral ends; never are more taken than there are."""

from __future__ import annotations

from services.referrals.acts.rules import Act, Placement, Referral

REFERRAL_HOLDS = ("accepted", "started")
"""A referral in one of these holds a place of the offer it names; to leave them gives the place back, whatever by."""
PLACEMENT_HOLDS = ("started", "ended")
"""A placement on a vacancy (an offer of type emploi) fills it for good: that the job ends later opens none."""


class NoPlaceLeft(Exception):
    """All places of the offer are taken. places: how many it has."""

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


def status(said: str, places: int, taken: int) -> str:
    """An offer's status: closed if its partner says so; else what its places say."""
    if said == "closed":
        return said
    return "full" if taken >= places else "published"
