"""A person's accompaniment through the API: paused, resumed, left; and who may begin what for them."""

from __future__ import annotations

import uuid

import pytest

from tests.support.calls import course, refused, sheet, work
from tests.support.network import PROFILE, Network


@pytest.fixture
def person(network: Network) -> str:
    """A person of CPAS Hotton."""
    made = network["cpas-hotton"].done("POST", "/beneficiaries", {"profile": PROFILE, "local_ref": uuid.uuid4().hex})
    return str(made["beneficiary"])


def test_a_person_is_paused_resumed_and_leaves(network: Network, person: str) -> None:
    home, path = network["cpas-hotton"], f"/beneficiaries/{person}"
    assert home.done("GET", path)["status"] == "active"
    paused = home.call("POST", f"{path}/pause", {"happened_on": "2026-11-02"})
    assert (paused.json()["status"], paused.headers["etag"]) == ("paused", '"2"')
    refused(home.call("POST", f"{path}/pause"), 409, "transition_not_allowed")
    assert home.done("POST", f"{path}/resume")["status"] == "active"
    refused(home.call("POST", f"{path}/leave", {}), 422, "missing")
    refused(home.call("POST", f"{path}/leave", {"reason": "no_place"}), 422, "invalid")
    left = home.done("POST", f"{path}/leave", {"reason": "found_work", "happened_on": "2026-11-20"})
    assert (left["status"], left["left_on"], left["version"]) == ("left", "2026-11-20", 4)
    [found] = home.done("GET", f"/beneficiaries?local_ref={left['local_ref']}")["items"]
    assert found == left == home.done("GET", path)


def test_only_the_home_partner_says_so_and_only_from_what_it_read(network: Network, person: str) -> None:
    home, path = network["cpas-hotton"], f"/beneficiaries/{person}"
    refused(network["cpas-erezee"].call("POST", f"{path}/pause"), 404, "not_found")
    alias = _alias(network, person)
    refused(network["le-trusquin"].call("POST", f"/beneficiaries/{alias}/leave", {"reason": "moved"}), 404, "not_found")
    refused(home.call("POST", f"{path}/pause", headers={"If-Match": '"9"'}), 412, "stale")
    assert home.call("POST", f"{path}/pause", headers={"If-Match": '"1"'}).status_code == 200


def test_nothing_new_begins_for_a_person_who_left_until_they_are_accompanied_again(
    network: Network, person: str
) -> None:
    home, trusquin = network["cpas-hotton"], network["le-trusquin"]
    alias = _alias(network, person)
    home.done("POST", f"/beneficiaries/{person}/leave", {"reason": "moved"})
    refused(home.call("POST", "/referrals", sheet(person=None, beneficiary=person)), 409, "person_left")
    refused(trusquin.call("POST", "/trainings", course(beneficiary=alias)), 409, "person_left")
    refused(home.call("POST", "/placements", work(beneficiary=person)), 409, "person_left")
    home.done("POST", f"/beneficiaries/{person}/resume")
    assert home.done("POST", "/referrals", sheet(person=None, beneficiary=person))["status"] == "sent"
    assert home.done("GET", f"/beneficiaries/{person}")["left_on"] is None


def _alias(network: Network, person: str) -> str:
    """What Le Trusquin calls the person, once referred to it."""
    referral = network["cpas-hotton"].refer("le-trusquin", beneficiary=person)
    return str(network["le-trusquin"].done("GET", f"/referrals/{referral['ref']}")["beneficiary"])
