"""A partner's places have codes; an act names a code, and its address is looked up whenever somebody reads it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, select

from services.referrals import refusals
from services.referrals.tables import offers, placements, referrals, trainings

Partner = Mapping[str, Any]
"""A partner's row."""
_NEXT = ("accepted", "started", "sent", "received", "waitlisted", "enrolled", "suspended", "proposed", "confirmed")
"""Statuses of acts that somebody may still have to find their way to."""


def address_of(partner: Partner, code: str | None) -> str | None:
    """The address of a partner's place; None if it has no such place."""
    return next((place["address"] for place in partner["places"] if place["code"] == code), None)


def where(partner: Partner, act_place: str | None, offer_place: str | None) -> str | None:
    """The address at which a partner receives somebody: of the act's place, else of the offer's, else its own."""
    named = (address_of(partner, code) for code in (act_place, offer_place) if code)
    address: str | None = next((each for each in named if each), partner["address"])
    return address


def check_place(partner: Partner, code: str | None, field: str = "place") -> None:
    """Raise Problem 422, with the codes that are allowed, if a code is not one of the partner's places."""
    allowed = [place["code"] for place in partner["places"]]
    if code is not None and code not in allowed:
        raise refusals.unknown_place(field, allowed)


def places_in_use(conn: Connection, partner: str, codes: Collection[str]) -> list[str]:
    """Those of a partner's places that an offer of its own, or an act that is not over, names."""
    if not codes:
        return []
    of_offers = select(offers.c.place).where(offers.c.partner == partner, offers.c.place.in_(codes))
    found = set(conn.execute(of_offers).scalars())
    for acts, receiver in ((referrals, "recipient"), (trainings, "operator"), (placements, "employer")):
        place = acts.c.facts["place"].astext
        named = select(place).where(acts.c[receiver] == partner, acts.c.status.in_(_NEXT), place.in_(codes))
        found |= set(conn.execute(named.where(~acts.c.facts.has_key("erased"))).scalars())
    return sorted(found)
