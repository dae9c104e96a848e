"""What referrals refuses, by its name, with nothing written and nothing of what was sent said back."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest

from jalons.clock import local_date, now
from tests.support.calls import course, offer, refused, sheet, work, written
from tests.support.network import PARTNERS, PROFILE, Network, eventually

TOMORROW = (local_date(now()) + timedelta(days=2)).isoformat()


@pytest.fixture(scope="module")
def sent(network: Network) -> dict[str, Any]:
    """A referral of CPAS Hotton to Le Trusquin, not yet answered."""
    return network["cpas-hotton"].refer("le-trusquin")


REFUSED: dict[str, tuple[str, str, Any, int, str]] = {
    "unknown field": ("POST", "/referrals", sheet(note="a word"), 422, "unknown_field"),
    "unknown field within": ("POST", "/beneficiaries", {"profile": PROFILE | {"name": "x"}}, 422, "unknown_field"),
    "unknown code": ("POST", "/referrals", sheet(moment="retraite"), 422, "invalid"),
    "missing field": ("POST", "/referrals", sheet(goal=None), 422, "invalid"),
    "nobody to refer": ("POST", "/referrals", sheet(person=None), 422, "invalid"),
    "two persons": ("POST", "/referrals", sheet(beneficiary=str(uuid.uuid4())), 422, "invalid"),
    "no convention": ("POST", "/referrals", sheet(recipient="forem-marche"), 403, "no_convention"),
    "no convention for it": ("POST", "/referrals", sheet(moment="experience"), 403, "no_convention"),
    "no consent": ("POST", "/referrals", sheet(agreement=None), 403, "no_consent"),
    "unknown partner": ("POST", "/referrals", sheet(recipient="nobody-here"), 422, "unknown_partner"),
    "to itself": ("POST", "/referrals", sheet(recipient="cpas-hotton"), 422, "invalid"),
    "another's offer": (
        "POST",
        "/referrals",
        sheet(offer="auxiliaire-de-soins", recipient="home-hotton", moment="experience"),
        422,
        "invalid",
    ),
    "offer of another moment": (
        "POST",
        "/referrals",
        sheet(offer="auxiliaire-de-soins", moment="projet"),
        422,
        "invalid",
    ),
    "agreement already over": (
        "POST",
        "/referrals",
        sheet(agreement={"channel": "oral", "expires_on": "2026-01-01"}),
        422,
        "invalid",
    ),
    "in the future": ("POST", "/referrals", sheet(happened_on=TOMORROW), 422, "invalid"),
    "before standard time": ("POST", "/referrals", sheet(happened_on="1850-01-01"), 422, "invalid"),
    "not a list": ("POST", "/referrals", [sheet()], 422, "invalid"),
    "a stranger's person": ("POST", "/referrals", sheet(person=None, beneficiary=str(uuid.uuid4())), 404, "not_found"),
    "unknown postal code": ("POST", "/beneficiaries", {"profile": PROFILE | {"commune_nis": "1000"}}, 422, "invalid"),
    "other digits": ("POST", "/beneficiaries", {"profile": PROFILE | {"commune_nis": "٨٣٠٢٨"}}, 422, "invalid"),
    "not registered": ("POST", "/trainings", course(), 404, "not_found"),
    "not an id": ("GET", "/referrals/nonsense", None, 404, "not_found"),
    "a reference misheard": ("GET", "/referrals/R-7K4M-2QQ", None, 404, "not_found"),
    "not a cursor": ("GET", "/referrals?cursor=1", None, 422, "invalid_cursor"),
    "too much at once": ("GET", "/referrals?limit=100000", None, 422, "invalid"),
    "no such path": ("GET", "/persons", None, 404, "not_found"),
    "no such method": ("PATCH", "/referrals", {}, 405, "method_not_allowed"),
    "another's to write": ("PUT", "/offers/auxiliaire-de-soins", offer(), 403, "not_yours"),
    "the coordinator's to write": ("PUT", "/partners/cpas-hotton", PARTNERS["cpas-hotton"], 403, "wrong_scope"),
    "the hub's to ask": ("POST", "/keys/resolve", {"subjects": []}, 403, "wrong_scope"),
    "the operator's to do": ("POST", "/signing-keys/rotate", None, 403, "wrong_scope"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_call_that_is_refused_says_why_and_writes_nothing(network: Network, name: str) -> None:
    method, path, body, status, code = REFUSED[name]
    before = written(network)
    refused(network["cpas-hotton"].call(method, path, body), status, code)
    assert written(network) == before


DIRECTORY_REFUSED: dict[str, tuple[str, str, Any, int, str]] = {
    "unknown party": (
        "POST",
        "/conventions",
        Network.convention() | {"parties": ["cpas-hotton", "nobody-here"]},
        422,
        "unknown_partner",
    ),
    "scope outside": (
        "POST",
        "/conventions",
        Network.convention() | {"parties": ["cpas-hotton", "forem-marche"]},
        422,
        "invalid",
    ),
    "over before it begins": (
        "POST",
        "/conventions",
        Network.convention() | {"valid_to": "2025-01-01"},
        422,
        "invalid",
    ),
    "a deadline beyond numbers": (
        "POST",
        "/conventions",
        Network.convention() | {"remind_on_working_days": [10**12]},
        422,
        "invalid",
    ),
    "an operator's client": ("POST", "/partners/cpas-hotton/clients", {"scopes": ["operator"]}, 422, "invalid"),
    "a client of nobody": ("POST", "/partners/nobody-here/clients", None, 404, "not_found"),
    "nobody's status": ("PUT", "/partners/nobody-here/status", {"status": "left"}, 404, "not_found"),
    "nobody's convention": ("POST", f"/conventions/{uuid.uuid4()}/suspend", None, 404, "not_found"),
    "an offer that changes hands": (
        "PUT",
        "/offers/auxiliaire-de-soins",
        offer(partner="forem-marche"),
        422,
        "invalid",
    ),
}


@pytest.mark.parametrize("name", DIRECTORY_REFUSED)
def test_the_directory_is_held_to_its_rules_for_the_coordinator_too(network: Network, name: str) -> None:
    method, path, body, status, code = DIRECTORY_REFUSED[name]
    before = written(network)
    refused(network.operator.call(method, path, body), status, code)
    assert written(network) == before


@pytest.mark.parametrize(
    "path", ["/beneficiaries", "/referrals", "/trainings", "/placements", "/beneficiaries/{}/consents"]
)
def test_a_creating_call_without_its_idempotency_key_is_refused(network: Network, path: str) -> None:
    before = written(network)
    home = network["cpas-hotton"]
    bodies = {
        "/beneficiaries": {"profile": PROFILE},
        "/referrals": sheet(),
        "/trainings": course(),
        "/placements": work(),
    }
    body = bodies.get(path, {"partners": ["le-trusquin"], "purposes": ["referral"], "channel": "oral"})
    answer = network.http.post(
        network.info["referrals"] + path.format(uuid.uuid4()),
        json=body,
        headers={"Authorization": f"Bearer {home.token()}"},
    )
    refused(answer, 400, "idempotency_key_missing")
    assert written(network) == before


def test_no_refusal_repeats_what_was_sent(network: Network) -> None:
    home, mine = network["cpas-hotton"], "zyxel-marie-q"
    wrong = [
        home.call("POST", "/referrals", sheet(**{field: mine}))
        for field in sheet()
        if field not in ("person", "agreement")
    ]
    wrong += [home.call("POST", "/referrals", sheet(person={"profile": PROFILE | {field: mine}})) for field in PROFILE]
    wrong += [
        home.call("POST", "/trainings", course(**{field: mine})) for field in ("beneficiary", "kind", "planned_start")
    ]
    consent = {"partners": [mine], "purposes": ["referral"], "channel": "oral"}
    known = home.done("POST", "/beneficiaries", {"profile": PROFILE})["beneficiary"]
    wrong += [
        home.call("POST", f"/beneficiaries/{known}/consents", consent),
        home.call("GET", f"/referrals/{mine}"),
        home.call("GET", f"/referrals?box={mine}"),
        home.call("POST", f"/referrals/{mine}/accept"),
        home.call("POST", "/referrals", sheet(note=mine)),
        home.call("POST", "/referrals", mine),
        network.operator.call("POST", "/conventions", Network.convention() | {"parties": ["cpas-hotton", mine]}),
        network.operator.call("PUT", "/offers/trying", offer(partner=mine)),
    ]
    assert all(400 <= answer.status_code < 500 for answer in wrong)
    assert [answer.text for answer in wrong if "zyxel" in answer.text] == []


def test_a_transition_the_table_does_not_have_says_which_are_open(network: Network, sent: dict[str, Any]) -> None:
    before = written(network)
    receiver, path = network["le-trusquin"], f"/referrals/{sent['referral_id']}"
    problem = refused(receiver.call("POST", f"{path}/complete", {"outcome": "reached"}), 409, "transition_not_allowed")
    assert problem["actions"] == ["receive", "accept", "waitlist", "decline"]
    sender = network["cpas-hotton"]
    problem = refused(sender.call("POST", f"{path}/accept", {}), 409, "transition_not_allowed")
    assert problem["actions"] == ["redirect", "cancel", "void"], "the sender does not answer for the receiver"
    problem = refused(receiver.call("POST", f"{path}/decline", {"declined_by": "person"}), 422, "missing")
    assert [field["at"] for field in problem["fields"]] == ["reason"]
    assert written(network) == before


def test_anothers_referral_is_not_there(network: Network, sent: dict[str, Any]) -> None:
    before = written(network)
    for stranger in ("cpas-erezee", "forem-marche", "home-hotton"):
        for name in (sent["referral_id"], sent["ref"]):
            refused(network[stranger].call("GET", f"/referrals/{name}"), 404, "not_found")
            refused(network[stranger].call("POST", f"/referrals/{name}/accept", {}), 404, "not_found")
    refused(network["le-trusquin"].call("GET", f"/beneficiaries/{sent['beneficiary']}"), 404, "not_found")
    assert written(network) == before


def test_a_version_that_was_overtaken_is_refused(network: Network) -> None:
    home, receiver = network["cpas-hotton"], network["le-trusquin"]
    path = f"/referrals/{home.refer('le-trusquin')['ref']}"
    first = home.call("GET", path).headers["etag"]
    received = receiver.call("POST", f"{path}/receive", headers={"If-Match": first})
    assert (received.status_code, received.headers["etag"]) == (200, '"2"')
    before = written(network)
    refused(receiver.call("POST", f"{path}/accept", {}, headers={"If-Match": first}), 412, "stale")
    known = network.operator.call("GET", "/offers/auxiliaire-de-soins")
    changed = {name: value for name, value in known.json().items() if name in offer()}
    stale = {"If-Match": '"0"'}
    answer = network.operator.call("PUT", "/offers/auxiliaire-de-soins", changed | {"places": 3}, headers=stale)
    refused(answer, 412, "stale")
    slug = "/partners/home-hotton"
    refused(network.operator.call("PUT", slug, PARTNERS["home-hotton"], headers=stale), 412, "stale")
    refused(network.operator.call("PUT", f"{slug}/status", {"status": "left"}, headers=stale), 412, "stale")
    refused(network.operator.call("PUT", "/offers/not-yet", offer(), headers=stale), 412, "stale")
    assert written(network) == before
    current = {"If-Match": known.headers["etag"]}
    assert network.operator.call("PUT", "/offers/auxiliaire-de-soins", changed, headers=current).status_code == 200


def test_what_has_not_happened_yet_is_not_recorded(network: Network) -> None:
    home, receiver = network["cpas-hotton"], network["le-trusquin"]
    path = f"/referrals/{home.refer('le-trusquin')['ref']}"
    receiver.done("POST", f"{path}/accept", {})
    before = written(network)
    today = local_date(now()).isoformat()
    for given in ({"started_on": TOMORROW}, {"started_on": TOMORROW, "happened_on": today}):
        refused(receiver.call("POST", f"{path}/start", given), 422, "invalid")
    assert written(network) == before
    receiver.done("POST", f"{path}/start", {"started_on": today})


def test_a_refused_referral_sends_nothing(network: Network) -> None:
    home = network["cpas-erezee"]
    job = {"recipient": "home-hotton", "moment": "experience", "reason": "work_experience"}

    def told() -> list[str]:
        return [mail["text"] for mail in network.mails() if "rh@home-hotton.example" in mail["to"]]

    first = home.refer("home-hotton", **job)
    eventually(lambda: any(first["ref"] in text for text in told()))
    before = len(told())
    for wrong in ({"agreement": None}, {"note": "x"}, {"happened_on": TOMORROW}, {"moment": "formation"}):
        assert home.call("POST", "/referrals", sheet(**job | wrong)).is_client_error
    second = home.refer("home-hotton", **job)
    eventually(lambda: any(second["ref"] in text for text in told()))
    assert len(told()) == before + 1
