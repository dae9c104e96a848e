"""Whether a step takes a place follows from the two statuses, whichever act led from one to the other."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest

from services.referrals.acts import lifecycle
from services.referrals.acts.rules import Placement, Referral, Training
from services.referrals.directory.places import moved, status

SHARED: dict[str, Any] = {
    "id": uuid.uuid4(),
    "reference": "R-7K4M-2QX",
    "ref": uuid.uuid4(),
    "home": "cpas-hotton",
    "version": 1,
    "facts": {"offer": "chantier"},
}


def referral(at: str, offer: str | None = "chantier") -> Referral:
    parties = {"referrer": "cpas-hotton", "recipient": "le-trusquin", "moment": "formation"}
    return Referral(**SHARED, **parties, status=at, offer=offer)


ENDS = ["completed", "cancelled", "interrupted", "voided", "redirected", "expired"]
OPEN = ["sent", "received", "waitlisted", "declined"]


@pytest.mark.parametrize("held", ["accepted", "started"])
@pytest.mark.parametrize("free", ENDS + OPEN)
def test_a_referral_holds_a_place_from_acceptance_to_its_end(held: str, free: str) -> None:
    assert moved(referral(free), referral(held)) == ("chantier", True), "accepted, or opened again"
    assert moved(referral(held), referral(free)) == ("chantier", False)
    assert moved(referral(free), referral("sent")) is None
    assert moved(referral("accepted"), referral("started")) is None
    assert moved(referral(free, None), referral(held, None)) is None, "no offer, no place"


def test_each_row_of_the_table_takes_or_gives_back_as_its_statuses_say() -> None:
    takes = {
        row.action
        for row in lifecycle.REFERRAL
        for source in row.source
        if moved(referral(source), referral(row.target)) == ("chantier", True)
    }
    assert "accept" in takes
    assert not takes & {"receive", "decline", "start", "complete"}


def test_a_placement_takes_its_place_when_it_starts_and_keeps_it() -> None:
    def placement(at: str) -> Placement:
        return Placement(**SHARED, status=at, proposer="cpas-hotton", employer="home-hotton")

    assert moved(placement("confirmed"), placement("started")) == ("chantier", True)
    assert moved(placement("started"), placement("ended")) is None
    assert moved(placement("started"), placement("voided")) == ("chantier", False)
    assert moved(placement("proposed"), placement("confirmed")) is None


def test_a_training_takes_no_place_of_its_own() -> None:
    training = Training(**SHARED, status="enrolled", operator="le-trusquin", moment="formation")
    assert moved(training, replace(training, status="started")) is None


@pytest.mark.parametrize(
    ("said", "places", "taken", "found"),
    [
        ("published", 2, 1, "published"),
        ("published", 2, 2, "full"),
        ("full", 2, 1, "published"),
        ("full", 2, 2, "full"),
        ("published", 0, 0, "full"),
        ("closed", 2, 0, "closed"),
        ("closed", 2, 2, "closed"),
    ],
)
def test_full_is_what_the_places_say(said: str, places: int, taken: int, found: str) -> None:
    assert status(said, places, taken) == found
