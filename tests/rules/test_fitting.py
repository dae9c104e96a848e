"""Which offers would do for a person, and how far communes are from one another."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Any

import pytest

from services.referrals.agreements.rules import Convention, destinations
from services.referrals.directory.communes import COMMUNES, NIS_OF_POSTAL_CODE, Commune, distances
from services.referrals.directory.fitting import REACH_KM, fits, free_places

DAY = date(2026, 11, 23)


def convention(**more: Any) -> Convention:
    given = {
        "convention_id": uuid.uuid4(),
        "parties": ("cpas-hotton", "le-trusquin"),
        "status": "signed",
        "valid_from": date(2026, 1, 1),
        "valid_to": None,
        "scope": (("cpas-hotton", "le-trusquin", ("formation",)),),
        "shared_attributes": frozenset(),
        "reply_within_working_days": 5,
    }
    return Convention(**given | more)


OFFER: dict[str, Any] = {
    "partner": "le-trusquin",
    "moment": "formation",
    "status": "published",
    "places": 2,
    "taken": 1,
    "transport_help": False,
    "distance_km": 10,
    "valid_from": None,
    "valid_to": None,
}

CASES: dict[str, tuple[dict[str, Any], bool]] = {
    "as it should be": ({}, True),
    "another moment": ({"moment": "projet"}, False),
    "the last place": ({"places": 1, "taken": 0}, True),
    "no place": ({"taken": 2}, False),
    "oversold before anyone counted": ({"taken": 3}, False),
    "closed": ({"status": "closed"}, False),
    "said to be full, with a place": ({"status": "full"}, True),
    "at the end of reach": ({"distance_km": REACH_KM}, True),
    "beyond it": ({"distance_km": REACH_KM + 1}, False),
    "beyond it, fetched": ({"distance_km": REACH_KM + 1, "transport_help": True}, True),
    "who knows where": ({"distance_km": None}, True),
    "over since yesterday": ({"valid_to": date(2026, 11, 22)}, False),
    "over after today": ({"valid_to": DAY}, True),
    "from tomorrow": ({"valid_from": date(2026, 11, 24)}, False),
    "a partner without convention": ({"partner": "forem-marche"}, False),
}


@pytest.mark.parametrize("name", CASES)
def test_an_offer_fits_by_moment_reach_place_date_and_convention(name: str) -> None:
    change, expected = CASES[name]
    assert fits(OFFER | change, "formation", "cpas-hotton", [convention()], DAY) is expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, {("le-trusquin", "formation")}),
        ({"valid_to": date(2026, 11, 22)}, set()),
        ({"valid_from": date(2026, 11, 24)}, set()),
        ({"status": "suspended"}, set()),
        ({"scope": (("le-trusquin", "cpas-hotton", ("formation",)),)}, set()),
    ],
)
def test_destinations_are_what_a_convention_in_force_covers(change: dict[str, Any], expected: set[Any]) -> None:
    given = convention(**change)
    assert destinations([given], "cpas-hotton", DAY) == expected
    assert fits(OFFER, "formation", "cpas-hotton", [given], DAY) is bool(expected)


def test_a_closed_offer_has_no_free_place() -> None:
    assert free_places({"status": "closed", "places": 3, "taken": 0}) == 0
    assert free_places({"status": "full", "places": 3, "taken": 5}) == 0
    assert free_places({"status": "published", "places": 3, "taken": 1}) == 2


def test_the_communes_of_the_network_lie_where_they_are() -> None:
    """Compared with road atlases: Marche to Hotton is some 9 km, Durbuy to La Roche some 20, in a straight line."""
    assert set(COMMUNES) == set(NIS_OF_POSTAL_CODE.values())
    from_marche = distances(COMMUNES, "83034")
    assert from_marche["83034"] == 0
    assert 8 <= from_marche["83028"] <= 10
    assert 18 <= distances(COMMUNES, "83012")["83031"] <= 22
    assert all(
        distances(COMMUNES, one)[other] == distances(COMMUNES, other)[one] for one in COMMUNES for other in COMMUNES
    )
    assert max(max(distances(COMMUNES, nis).values()) for nis in COMMUNES) < 40, "one zone"


def test_a_degree_of_latitude_is_111_km() -> None:
    known = {"00001": Commune("a", 50.0, 5.0), "00002": Commune("b", 51.0, 5.0)}
    assert distances(known, "00001") == {"00001": 0, "00002": 111}
    assert distances(known, "00003") == {}
