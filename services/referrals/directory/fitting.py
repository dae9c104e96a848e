"""An offer fits a person if it has the wanted moment and a free place, is in reach, and a convention covers it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from services.referrals.agreements.rules import Convention
from services.referrals.directory.rules import valid

REACH_KM = 25
"""The farthest offer, in km, for a person without a car in a rural zone; offers with transport help have no limit."""


def free_places(offer: Mapping[str, Any]) -> int:
    """The number of free places of an offer; none if it is closed. offer: with status, places and taken."""
    return 0 if offer["status"] == "closed" else max(offer["places"] - offer["taken"], 0)


def reachable(distance_km: int | None, transport_help: bool) -> bool:
    """Whether a person can get there. An unknown distance does not hide an offer."""
    return transport_help or distance_km is None or distance_km <= REACH_KM


def fits(offer: Mapping[str, Any], moment: str, referrer: str, conventions: Iterable[Convention], on: date) -> bool:
    """Whether a referrer may send a person to an offer for a moment.

    offer: a row of the directory, with taken and distance_km from the person's commune.
    """
    return (
        offer["moment"] == moment
        and valid(offer, on)
        and free_places(offer) > 0
        and reachable(offer["distance_km"], offer["transport_help"])
        and any(convention.covers(referrer, offer["partner"], moment, on) for convention in conventions)
    )
