"""A name, a number or an address sent as a code is refused with the cure; a place is one of the receiver's."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from jalons.clock import local_date, now
from tests.support.apps import Apps
from tests.support.calls import course, offer, refused, sheet, work
from tests.support.network import PARTNERS, PROFILE, Network

TODAY = local_date(now()).isoformat()
NAME = "Dupont Marie"
SLUG = "dupont-marie"


@pytest.fixture(scope="module")
def network(apps: Apps) -> Network:
    return apps.network


@pytest.fixture(scope="module")
def accepted(network: Network) -> dict[str, Any]:
    """A referral that Le Trusquin accepted, for who comes to its workshop."""
    sent = network["cpas-hotton"].refer("le-trusquin", contact="person_comes")
    given = {"first_contact_on": TODAY, "place": "atelier"}
    return network["le-trusquin"].done("POST", f"/referrals/{sent['ref']}/accept", given)


CONSENT = {"partners": ["le-trusquin"], "purposes": ["referral"], "channel": "oral"}
CODES: list[tuple[str, Any]] = [
    ("/beneficiaries", {"profile": PROFILE, "local_ref": NAME}),
    ("/referrals", sheet(person={"profile": PROFILE, "local_ref": NAME})),
    ("/referrals", sheet(agreement={"channel": "oral", "evidence_ref": NAME})),
    (f"/beneficiaries/{uuid.UUID(int=0)}/consents", CONSENT | {"evidence_ref": NAME}),
    ("/beneficiaries", {"profile": PROFILE, "local_ref": "0475/12.34.56"}),
    ("/beneficiaries", {"profile": PROFILE, "local_ref": "marie@gmail1.com"}),
]


@pytest.mark.parametrize("at", range(len(CODES)), ids=lambda at: f"{CODES[at][0]}-{at}")
def test_a_name_or_a_number_is_no_code_and_the_cure_is_said(network: Network, at: int) -> None:
    path, body = CODES[at]
    problem = refused(network["cpas-hotton"].call("POST", path, body), 422, "not_a_code")
    assert "H-2026-118" in problem["cure"]
    assert "Dupont" not in json.dumps(problem) and "0475" not in json.dumps(problem)
    assert ("offered" in problem) == ("local_ref" in json.dumps(body)), "a dossier code of the hub's instead"


def test_a_code_that_is_offered_is_taken(network: Network) -> None:
    home = network["cpas-hotton"]
    problem = refused(home.call("POST", "/beneficiaries", {"profile": PROFILE, "local_ref": NAME}), 422, "not_a_code")
    made = home.done("POST", "/beneficiaries", {"profile": PROFILE, "local_ref": problem["offered"]})
    assert made["local_ref"] == problem["offered"]


def test_who_gives_no_dossier_number_gets_a_spoken_one_that_only_the_home_partner_finds(network: Network) -> None:
    home, other = network["cpas-hotton"], network["cpas-erezee"]
    made = home.done("POST", "/beneficiaries", {"profile": PROFILE})
    sent = home.refer("le-trusquin")
    for person in (made["beneficiary"], sent["beneficiary"]):
        code = home.done("GET", f"/beneficiaries/{person}")["local_ref"]
        assert code.startswith("D-") and len(code) == 10
        typed = code.lower().replace("-", "%20")
        for written in (code, typed):
            [found] = home.done("GET", f"/beneficiaries?local_ref={written}")["items"]
            assert found["beneficiary"] == person
        assert other.done("GET", f"/beneficiaries?local_ref={code}")["items"] == []
    code = home.done("GET", f"/beneficiaries/{sent['beneficiary']}")["local_ref"]
    assert code not in network["le-trusquin"].call("GET", f"/referrals/{sent['ref']}").text
    assert code not in network["le-trusquin"].call("GET", "/events?limit=500").text


def test_blanks_are_taken_out_of_a_dossier_number(network: Network) -> None:
    home, number = network["cpas-hotton"], uuid.uuid4().hex[:12]
    spaced = f"{number[:4]} {number[4:8]}\u00a0{number[8:]}9"
    made = home.done("POST", "/beneficiaries", {"profile": PROFILE, "local_ref": spaced})
    assert made["local_ref"] == f"{number}9"
    [found] = home.done("GET", f"/beneficiaries?local_ref={spaced}")["items"]
    assert found["beneficiary"] == made["beneficiary"]
    refused(home.call("GET", "/beneficiaries?local_ref=Dupont"), 422, "not_a_code")


@pytest.mark.parametrize("actor", [NAME, "marie", "0475123456", "x" * 37, "marie@cpas1.example"])
def test_a_member_of_staff_is_a_code_too(network: Network, actor: str) -> None:
    problem = refused(
        network["cpas-hotton"].call("POST", "/referrals", sheet(), headers={"Jalons-Actor": actor}), 422, "not_a_code"
    )
    assert problem["fields"][0]["at"] == "Jalons-Actor"


def test_the_key_of_a_call_is_kept_as_a_hash_only(apps: Apps) -> None:
    apps.network["cpas-hotton"].done("POST", "/referrals", sheet(), key="relais de Marie Dupont 1")
    kept = apps.rows("referrals", "SELECT row_to_json(i)::text AS row FROM idempotency i")
    assert kept and not any("Marie" in each.row for each in kept)


UNKNOWN: list[tuple[str, str, Any]] = [
    ("cpas-hotton", "/referrals", sheet(recipient=SLUG)),
    ("cpas-hotton", "/referrals", sheet(offer=SLUG)),
    ("cpas-hotton", "/referrals", sheet(reason="dupont_marie")),
    ("cpas-hotton", "/referrals/{ref}/redirect", {"recipient": SLUG}),
    ("cpas-hotton", "/referrals/{ref}/redirect", {"offer": SLUG}),
    ("cpas-hotton", "/referrals/{ref}/cancel", {"reason": "dupont_marie"}),
    ("integra-plus", "/referrals/{ref}/suggest", {"offer": SLUG}),
    ("le-trusquin", "/referrals/{ref}/decline", {"reason": "dupont_marie", "declined_by": "person"}),
    ("le-trusquin", "/referrals/{ref}/accept", {"first_contact_on": TODAY, "place": SLUG}),
    ("cpas-hotton", "/trainings", course(beneficiary="{beneficiary}", offer=SLUG)),
    ("cpas-hotton", "/placements", work(beneficiary="{beneficiary}", employer=SLUG)),
    ("cpas-hotton", "/placements", work(beneficiary="{beneficiary}", legal_employer=SLUG)),
    ("cpas-hotton", "/placements", work(beneficiary="{beneficiary}", offer=SLUG)),
    ("cpas-hotton", "/placements", work(beneficiary="{beneficiary}", occupation="Marie.Dupont")),
    ("cpas-hotton", "/beneficiaries/{beneficiary}/consents", CONSENT | {"partners": [SLUG]}),
    ("cpas-hotton", "/beneficiaries/{beneficiary}/leave", {"reason": "dupont_marie"}),
    (
        "cpas-hotton",
        "/needs",
        {"domain": "mobilite", "kind": "need", "source": "public", "commune_nis": "83028", "met_by_offer": SLUG},
    ),
]


@pytest.mark.parametrize("at", range(len(UNKNOWN)), ids=lambda at: f"{UNKNOWN[at][1]}-{at}")
def test_a_name_that_the_directory_does_not_have_is_refused(network: Network, at: int) -> None:
    who, path, body = UNKNOWN[at]
    home = network["cpas-hotton"]
    sent = home.refer("le-trusquin")
    agreed = CONSENT | {"partners": ["home-hotton"], "purposes": ["employer"]}
    home.done("POST", f"/beneficiaries/{sent['beneficiary']}/consents", agreed)
    named = json.loads(json.dumps(body).replace("{beneficiary}", sent["beneficiary"]))
    answer = network[who].call("POST", path.format(**sent), named)
    assert answer.status_code == 422, answer.text
    assert "upont" not in answer.text


def test_a_place_is_one_of_the_receivers_and_the_others_are_named(network: Network) -> None:
    sent = network["cpas-hotton"].refer("le-trusquin", contact="person_comes")
    path, given = f"/referrals/{sent['ref']}/accept", {"first_contact_on": TODAY}
    operator = network["le-trusquin"]
    free = refused(operator.call("POST", path, given | {"place": "Marie Dupont, GSM 0475"}), 422, "invalid")
    assert free["fields"][0]["at"] == "place"
    problem = refused(operator.call("POST", path, given | {"place": "siege"}), 422, "unknown_place")
    assert problem["allowed"] == ["atelier", "quai"]
    assert "atelier, quai" in problem["detail"]
    assert operator.done("POST", path, given | {"place": "quai"})["place"] == "quai"


def test_a_place_is_read_by_its_address_wherever_a_person_reads_it(network: Network, accepted: dict[str, Any]) -> None:
    home = network["cpas-hotton"]
    assert "Rue du Marché 1" in home.call("GET", f"/referrals/{accepted['ref']}/slip").text
    person = home.done("GET", f"/referrals/{accepted['ref']}")["beneficiary"]
    assert "Rue du Marché 1" in home.call("GET", f"/beneficiaries/{person}/way").text
    assert "Rue du Marché 1" in home.call("GET", "/referrals.csv?box=sent").text


def test_an_address_that_changes_is_the_new_one_for_whoever_reads_it_then(network: Network) -> None:
    sent = network["cpas-hotton"].refer("le-trusquin", contact="person_comes")
    given = {"first_contact_on": TODAY, "place": "quai"}
    network["le-trusquin"].done("POST", f"/referrals/{sent['ref']}/accept", given)
    record = PARTNERS["le-trusquin"]
    moved = [place | ({"address": "Quai 5"} if place["code"] == "quai" else {}) for place in record["places"]]
    network.operator.done("PUT", "/partners/le-trusquin", record | {"places": moved})
    assert "Quai 5" in network["cpas-hotton"].call("GET", f"/referrals/{sent['ref']}/slip").text
    kept = [place for place in record["places"] if place["code"] != "quai"]
    gone = network.operator.call("PUT", "/partners/le-trusquin", record | {"places": kept})
    assert refused(gone, 409, "place_in_use")["places"] == ["quai"]
    network.operator.done("PUT", "/partners/le-trusquin", record)


def test_an_offers_place_or_the_partners_address_stands_where_no_place_is_said(network: Network) -> None:
    home, operator = network["cpas-hotton"], network["le-trusquin"]
    there = offer(moment="formation", type="formation", place="quai")
    operator.done("PUT", "/offers/au-quai", there)
    refused(operator.call("PUT", "/offers/au-quai", there | {"place": "siege"}), 422, "unknown_place")
    slips = [
        home.call("GET", f"/referrals/{home.refer('le-trusquin', **more)['ref']}/slip").text
        for more in ({"offer": "au-quai"}, {})
    ]
    assert "Quai 4, 6990 Hotton" in slips[0]
    assert "Rue de la Gare 3, 6900 Marche" in slips[1]


def test_a_partners_places_have_each_a_code_of_their_own(network: Network) -> None:
    record = PARTNERS["forem-marche"]
    twice = [{"code": "a1", "address": "Rue 1"}, {"code": "a1", "address": "Rue 2"}]
    refused(network.operator.call("PUT", "/partners/forem-marche", record | {"places": twice}), 422, "invalid")
    [shown] = [
        each["places"]
        for each in network["cpas-hotton"].done("GET", "/partners")["items"]
        if each["slug"] == "le-trusquin"
    ]
    assert shown == PARTNERS["le-trusquin"]["places"]
