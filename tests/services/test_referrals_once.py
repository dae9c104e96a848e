"""A call that is repeated is done once, a person is referred once to an offer, and each partner has its own name for
a person."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from jalons.clock import local_date, now
from services.referrals.calls.idempotency import stored_key
from tests.support.calls import refused, sheet
from tests.support.days import day
from tests.support.network import PROFILE, Network

TODAY = local_date(now()).isoformat()
DAY_BEFORE = (local_date(now()) - timedelta(days=2)).isoformat()
JOB = {"recipient": "home-hotton", "moment": "experience", "reason": "work_experience"}


def rows(network: Network, table: str, where: str, value: Any) -> int:
    """How many rows of referrals' own there are."""
    with psycopg.connect(network.info["database"]) as conn:
        row = conn.execute(f"SELECT count(*) FROM referrals.{table} WHERE {where} = %s", (value,)).fetchone()
    return int(row[0]) if row else 0


def test_a_repeat_gets_the_stored_answer_and_is_done_once(network: Network) -> None:
    home, key = network["cpas-hotton"], str(uuid.uuid4())
    first = home.call("POST", "/referrals", sheet(), key=key)
    again = home.call("POST", "/referrals", sheet(), key=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["jalons-call"] == first.headers["jalons-call"]
    person = first.json()["beneficiary"]
    assert rows(network, "events", "subject", person) == 3, "registered, consent given, sent"


def test_a_key_is_for_one_request_of_one_client(network: Network) -> None:
    key = str(uuid.uuid4())
    hotton, erezee = network["cpas-hotton"], network["cpas-erezee"]
    first = hotton.done("POST", "/beneficiaries", {"profile": PROFILE}, key=key)
    refused(
        hotton.call("POST", "/beneficiaries", {"profile": PROFILE | {"sex": "M"}}, key=key),
        422,
        "idempotency_key_reused",
    )
    refused(hotton.call("POST", "/referrals", sheet(), key=key), 422, "idempotency_key_reused")
    other = erezee.done("POST", "/beneficiaries", {"profile": PROFILE}, key=key)
    assert other["beneficiary"] != first["beneficiary"]


def test_a_refusal_is_not_kept_under_its_key(network: Network) -> None:
    home, key = network["cpas-hotton"], str(uuid.uuid4())
    person = home.done("POST", "/beneficiaries", {"profile": PROFILE})["beneficiary"]
    body = sheet(person=None, agreement=None, beneficiary=person)
    refused(home.call("POST", "/referrals", body, key=key), 403, "no_consent")
    given = {"partners": ["le-trusquin"], "purposes": ["referral"], "channel": "oral"}
    home.done("POST", f"/beneficiaries/{person}/consents", given)
    assert home.call("POST", "/referrals", body, key=key).status_code == 201


def test_thirty_at_once_under_one_key_make_one(network: Network) -> None:
    home, key, local_ref = network["cpas-hotton"], str(uuid.uuid4()), str(uuid.uuid4())
    home.token()
    body = {"profile": PROFILE, "local_ref": local_ref}
    with ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(lambda _: home.call("POST", "/beneficiaries", body, key=key), range(30)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    made = {answer.json()["beneficiary"] for answer in answers if answer.status_code == 201}
    assert len(made) == 1
    assert {a.json()["code"] for a in answers if a.status_code == 409} <= {"still_running"}
    assert rows(network, "beneficiaries", "local_ref", local_ref) == 1
    assert rows(network, "events", "subject", made.pop()) == 1


def test_a_transition_takes_a_key_too(network: Network) -> None:
    path, key = f"/referrals/{network['cpas-hotton'].refer('le-trusquin')['ref']}/receive", str(uuid.uuid4())
    first, again = (network["le-trusquin"].call("POST", path, key=key) for _ in range(2))
    assert (first.status_code, again.status_code, again.json()) == (200, 200, first.json())
    assert first.json()["version"] == 2
    refused(network["le-trusquin"].call("POST", path), 409, "transition_not_allowed")


def test_a_secret_is_in_no_stored_answer(network: Network) -> None:
    key = str(uuid.uuid4())
    first = network.operator.done("POST", "/partners/cpas-hotton/clients", {"scopes": ["partner"]}, key=key)
    again = network.operator.done("POST", "/partners/cpas-hotton/clients", {"scopes": ["partner"]}, key=key)
    assert first["client_secret"]
    assert again == {"client_id": first["client_id"], "scopes": ["partner"], "secret_already_shown": True}
    with psycopg.connect(network.info["database"]) as conn:
        stored = conn.execute("SELECT answer FROM referrals.idempotency WHERE key = %s", (stored_key(key),)).fetchall()
        kept = conn.execute("SELECT row_to_json(c)::text FROM referrals.clients c").fetchall()
    assert first["client_secret"] not in json.dumps(stored) + json.dumps(kept)


def test_one_open_referral_of_a_person_to_an_offer(network: Network) -> None:
    home, receiver = network["cpas-hotton"], network["le-trusquin"]
    first = home.refer("le-trusquin", offer="auxiliaire-de-soins")
    person = first["beneficiary"]
    again = sheet(person=None, beneficiary=person, offer="auxiliaire-de-soins")
    refused(home.call("POST", "/referrals", again), 409, "already_open")
    assert rows(network, "referrals", "ref", person) == 1
    receiver.done("POST", f"/referrals/{first['ref']}/decline", {"reason": "no_place", "declined_by": "provider"})
    assert home.call("POST", "/referrals", again).status_code == 201, "the first is closed"
    assert home.call("POST", "/referrals", sheet(person=None, beneficiary=person)).status_code == 201, "no offer named"


def test_a_dossier_number_is_one_person_at_its_home_and_nobody_elses(network: Network) -> None:
    number = str(uuid.uuid4())
    home = network["cpas-hotton"]
    first = home.refer("le-trusquin", person={"profile": PROFILE, "local_ref": number})
    changed = {"profile": PROFILE | {"status": "art60"}, "local_ref": number}
    second = home.refer("le-trusquin", person=changed, again=True)
    assert first["beneficiary"] == second["beneficiary"]
    [found] = home.done("GET", f"/beneficiaries?local_ref={number}")["items"]
    assert (found["profile"]["status"], found["version"]) == ("art60", 2)
    refused(home.call("POST", "/beneficiaries", {"profile": PROFILE, "local_ref": number}), 409, "local_ref_taken")
    assert network["cpas-erezee"].done("GET", f"/beneficiaries?local_ref={number}")["items"] == []
    for partner in ("le-trusquin", "cpas-hotton"):
        assert number not in json.dumps(network[partner].done("GET", f"/referrals/{first['ref']}"))
    with psycopg.connect(network.info["database"]) as conn:
        said = conn.execute("SELECT value FROM referrals.events WHERE subject = %s", (found["beneficiary"],)).fetchall()
    assert said
    assert not any(number.encode() in bytes(value) for (value,) in said)


def test_every_partner_knows_a_person_by_a_name_of_its_own(network: Network) -> None:
    home = network["cpas-hotton"]
    course = home.refer("le-trusquin")
    ref = course["beneficiary"]
    job = home.refer("home-hotton", beneficiary=ref, **{k: v for k, v in JOB.items() if k != "recipient"})
    names = [
        network["le-trusquin"].done("GET", f"/referrals/{course['ref']}")["beneficiary"],
        network["home-hotton"].done("GET", f"/referrals/{job['ref']}")["beneficiary"],
    ]
    assert len({ref, *names}) == 3
    assert all(UUID(name).version == 4 for name in names)
    again = home.refer("le-trusquin", beneficiary=ref, again=True)
    assert network["le-trusquin"].done("GET", f"/referrals/{again['ref']}")["beneficiary"] == names[0], "stable"
    [listed] = [
        r for r in network["le-trusquin"].done("GET", "/referrals?limit=500")["items"] if r["ref"] == course["ref"]
    ]
    assert listed["beneficiary"] == names[0]
    plan = {"kind": "formation", "goal": "qualify", "chosen_by": "together", "planned_start": day(10)}
    operator = network["le-trusquin"]
    for strange in (ref, names[1]):
        refused(operator.call("POST", "/trainings", plan | {"beneficiary": strange}), 404, "not_found")
    assert operator.done("POST", "/trainings", plan | {"beneficiary": names[0]})["beneficiary"] == names[0]


def test_an_employer_learns_neither_who_sends_nor_why(network: Network) -> None:
    made = network["cpas-hotton"].refer("home-hotton", **{k: v for k, v in JOB.items() if k != "recipient"})
    employer = network["home-hotton"]
    shown = employer.done("GET", f"/referrals/{made['ref']}")
    assert not {"referrer", "reason", "goal", "chosen_by", "disclosed"} & set(shown)
    assert (shown["ref"], shown["moment"], shown["contact"]) == (made["ref"], "experience", "receiver_calls_referrer")
    assert "cpas-hotton" not in json.dumps(shown)


def said(reference: str) -> list[str]:
    """A spoken reference as people type it."""
    return [
        reference,
        reference.lower(),
        reference.replace("-", ""),
        reference.replace("-", " "),
        reference[0] + reference[1:].replace("0", "O").replace("1", "l"),
    ]


def test_a_spoken_reference_stands_wherever_an_id_does(network: Network) -> None:
    home, operator = network["cpas-hotton"], network["le-trusquin"]
    made = home.refer("le-trusquin")
    for way in said(made["ref"]):
        assert operator.done("GET", f"/referrals/{way}")["referral_id"] == made["referral_id"]
    refused(operator.call("GET", f"/trainings/{made['ref']}"), 404, "not_found")
    followed = home.refer("le-trusquin", beneficiary=made["beneficiary"], follows=made["ref"].lower(), again=True)
    assert followed["follows"] == made["referral_id"]
    operator.done("POST", f"/referrals/{made['ref'].replace('-', '')}/accept", {})
    plan = {
        "beneficiary": operator.done("GET", f"/referrals/{made['ref']}")["beneficiary"],
        "referral_id": made["ref"].replace("-", " "),
        "kind": "formation",
        "goal": "qualify",
        "chosen_by": "together",
        "planned_start": day(10),
    }
    before = plan | {"planned_end": "2026-12-01"}
    refused(operator.call("POST", "/trainings", before), 422, "invalid")
    training = operator.done("POST", "/trainings", plan)
    assert training["referral_id"] == made["referral_id"]
    operator.done("POST", f"/trainings/{training['ref'].lower()}/start", {"started_on": TODAY})
    assert home.done("GET", f"/referrals/{made['referral_id']}")["status"] == "started", (
        "by the training that answers it"
    )


def test_a_placement_does_not_end_before_it_starts(network: Network) -> None:
    home, employer = network["cpas-hotton"], network["home-hotton"]
    person = home.done("POST", "/beneficiaries", {"profile": PROFILE})["beneficiary"]
    body = {
        "beneficiary": person,
        "employer": "home-hotton",
        "kind": "cdd",
        "goal": "find_job",
        "chosen_by": "person",
        "planned_start": TODAY,
    }
    refused(home.call("POST", "/placements", body), 403, "no_consent")
    given = {"partners": ["home-hotton"], "purposes": ["referral"], "channel": "oral"}
    home.done("POST", f"/beneficiaries/{person}/consents", given)
    refused(home.call("POST", "/placements", body), 403, "no_consent")
    home.done("POST", f"/beneficiaries/{person}/consents", given | {"purposes": ["employer"]})
    path = f"/placements/{home.done('POST', '/placements', body)['ref']}"
    employer.done("POST", f"{path}/confirm")
    employer.done("POST", f"{path}/start", {"started_on": TODAY})
    refused(employer.call("POST", f"{path}/end", {"ended_on": DAY_BEFORE, "reason": "found_work"}), 422, "invalid")
    assert employer.done("POST", f"{path}/end", {"ended_on": TODAY, "reason": "found_work"})["status"] == "ended"


def test_a_withdrawn_consent_lets_nothing_more_through(network: Network) -> None:
    home = network["cpas-hotton"]
    person = home.done("POST", "/beneficiaries", {"profile": PROFILE})["beneficiary"]
    given = {"partners": ["le-trusquin"], "purposes": ["referral"], "attributes": ["age_band", "household"]}
    consent = home.done("POST", f"/beneficiaries/{person}/consents", given | {"channel": "oral"})["consent_id"]
    body = sheet(person=None, agreement=None, beneficiary=person)
    made = home.done("POST", "/referrals", body)
    shown = network["le-trusquin"].done("GET", f"/referrals/{made['ref']}")
    assert shown["disclosed"] == {"age_band": "25-29"}, "household was agreed to, but no convention shares it"
    [let_through] = home.done("GET", f"/beneficiaries/{person}/disclosures")["items"]
    assert (let_through["partner"], let_through["attributes"]) == ("le-trusquin", ["age_band"])
    home.done("DELETE", f"/beneficiaries/{person}/consents/{consent}")
    home.done("DELETE", f"/beneficiaries/{person}/consents/{consent}")
    refused(home.call("POST", "/referrals", body), 403, "no_consent")
    refused(network["cpas-erezee"].call("DELETE", f"/beneficiaries/{person}/consents/{consent}"), 404, "not_found")
    assert rows(network, "events", "subject", person) == 5, "registered, given, sent, withdrawn once, cancelled by that"


def test_a_repeat_shows_what_may_be_shown_now_and_is_audited(network: Network) -> None:
    """Not what the first answer held: the agreement was withdrawn meanwhile."""
    home, trusquin = network["cpas-hotton"], network["le-trusquin"]
    made, key = home.refer("le-trusquin"), str(uuid.uuid4())
    path = f"/referrals/{made['ref']}/receive"
    first = trusquin.call("POST", path, {}, key=key)
    assert first.json()["disclosed"]
    assert rows(network, "idempotency", "answer ? 'disclosed'", True) == 0
    person = made["beneficiary"]
    for agreed in home.done("GET", f"/beneficiaries/{person}/consents")["items"]:
        home.done("DELETE", f"/beneficiaries/{person}/consents/{agreed['consent_id']}")
    reads = len(home.done("GET", f"/audit?beneficiary={person}&limit=500")["items"])
    again = trusquin.call("POST", path, {}, key=key)
    assert (again.status_code, again.headers["jalons-call"]) == (first.status_code, first.headers["jalons-call"])
    assert not again.json().get("disclosed")
    assert len(home.done("GET", f"/audit?beneficiary={person}&limit=500")["items"]) == reads + 2, "and the look itself"
    home.done("DELETE", f"/beneficiaries/{person}")
    refused(trusquin.call("POST", path, {}, key=key), 410, "person_erased")


LIKE = {
    "the recipient alone": {},
    "the offer": {"offer": "auxiliaire-de-soins"},
    "another moment": {"moment": "projet", "reason": "bilan"},
}
UNTIL_IT_STARTS = {
    "sent": [],
    "received": [("receive", {})],
    "waitlisted": [("waitlist", {"rank": 2})],
    "accepted": [("accept", {"first_contact_on": day()})],
}


@pytest.mark.parametrize("status", UNTIL_IT_STARTS)
@pytest.mark.parametrize("like", LIKE)
def test_the_same_is_not_sent_twice_until_it_starts(network: Network, like: str, status: str) -> None:
    """A bilan comes back each year, and an operator closes the last one late: a started one blocks nothing."""
    home, receiver = network["cpas-hotton"], network["le-trusquin"]
    first = home.refer("le-trusquin", **LIKE[like])
    same = sheet(person=None, beneficiary=first["beneficiary"], **LIKE[like])
    for action, given in UNTIL_IT_STARTS[status]:
        receiver.done("POST", f"/referrals/{first['ref']}/{action}", given)
    problem = refused(home.call("POST", "/referrals", same, headers={"Accept-Language": "fr"}), 409, "already_open")
    assert problem["ref"] == first["ref"]
    assert first["ref"] in problem["detail"]
    for meant in ({"again": True}, {"alternative_to": first["ref"]}):
        if "offer" in LIKE[like]:
            refused(home.call("POST", "/referrals", same | meant), 409, "already_open")
        else:
            assert "also_open" not in home.done("POST", "/referrals", same | meant)


@pytest.mark.parametrize("like", LIKE)
def test_a_started_referral_keeps_no_new_one_away_and_is_named(network: Network, like: str) -> None:
    home, receiver = network["cpas-hotton"], network["le-trusquin"]
    first = home.refer("le-trusquin", **LIKE[like])
    same = sheet(person=None, beneficiary=first["beneficiary"], **LIKE[like])
    receiver.done("POST", f"/referrals/{first['ref']}/accept", {"first_contact_on": day()})
    receiver.done("POST", f"/referrals/{first['ref']}/start", {"started_on": day()})
    key = str(uuid.uuid4())
    second = home.done("POST", "/referrals", same, key=key)
    assert (second["status"], second["also_open"]) == ("sent", [first["ref"]])
    assert home.done("POST", "/referrals", same, key=key) == second
    assert "also_open" not in receiver.done("GET", f"/referrals/{second['ref']}")
    assert refused(home.call("POST", "/referrals", same), 409, "already_open")["ref"] == second["ref"]


def test_what_differs_in_recipient_moment_offer_or_person_is_not_the_same(network: Network) -> None:
    home = network["cpas-hotton"]
    first = home.refer("le-trusquin")
    person = {"person": None, "beneficiary": first["beneficiary"]}
    other = [{"moment": "projet"}, {"offer": "auxiliaire-de-soins"}, JOB, {"person": {"profile": PROFILE}}]
    for differs in other:
        assert (
            home.call(
                "POST", "/referrals", sheet(**{**(person if "person" not in differs else {}), **differs})
            ).status_code
            == 201
        )
    refused(home.call("POST", "/referrals", sheet(**person)), 409, "already_open")
    refused(home.call("POST", "/referrals", sheet(**person, again=1)), 422, "invalid")


@pytest.mark.parametrize(("linked", "named"), [({}, False), ({"alternative_to": "first"}, True)])
def test_an_end_is_not_taken_back_beside_the_same_sent_meanwhile(
    network: Network, linked: dict[str, str], named: bool
) -> None:
    home, receiver = network["cpas-hotton"], network["le-trusquin"]
    first = home.refer("le-trusquin")
    receiver.done("POST", f"/referrals/{first['ref']}/decline", {"reason": "no_place", "declined_by": "provider"})
    second = home.refer("le-trusquin", beneficiary=first["beneficiary"], **dict.fromkeys(linked, first["ref"]))
    path, why = f"/referrals/{first['ref']}/reopen", {"reason": "recorded_in_error"}
    if not named:
        assert refused(receiver.call("POST", path, why), 409, "already_open")["ref"] == second["ref"]
        why |= {"again": True}
    assert receiver.done("POST", path, why)["status"] == "sent"
