"""Every read and write of a person's data is audited in a line that cannot be changed and names nobody."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from jalons.clock import local_date, now
from jalons.messaging.codec import read
from jalons.privacy.audit import Audit
from schemas.topics import PATHWAYS
from tests.support.apps import SECRET, Apps
from tests.support.calls import refused
from tests.support.forms import one_of_everything
from tests.support.network import PROFILE, Partner

TODAY = local_date(now()).isoformat()


def lines(apps: Apps, who: Partner, service: str = "referrals", **asked: Any) -> list[dict[str, Any]]:
    """The lines `GET /audit` returns, without those about reads of the audit."""
    query = "&".join(f"{name}={value}" for name, value in asked.items())
    items = who.done("GET", f"/audit?{query}", service=service)["items"]
    return [each for each in items if each["noun"] != "audit"]


def short(found: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Who did what to what, oldest first."""
    return [(each["partner"], each["noun"], each["action"]) for each in reversed(found)]


def test_the_home_partner_learns_who_did_what_to_its_person(apps: Apps) -> None:
    home, operator = apps.network["cpas-hotton"], apps.network["le-trusquin"]
    made = home.refer("le-trusquin")
    person = made["beneficiary"]
    operator.call("GET", f"/referrals/{made['ref']}", headers={"Jalons-Actor": "t-17"})
    operator.call("POST", f"/referrals/{made['ref']}/accept", {}, headers={"Jalons-Actor": "t-18"})
    home.done("GET", f"/beneficiaries/{person}")
    found = lines(apps, home, beneficiary=person)
    assert short(found) == [
        ("cpas-hotton", "beneficiary", "registered"),
        ("cpas-hotton", "consent", "given"),
        ("cpas-hotton", "referral", "sent"),
        ("le-trusquin", "referral", "read"),
        ("le-trusquin", "referral", "accepted"),
        ("cpas-hotton", "beneficiary", "read"),
    ]
    assert [each["actor"] for each in found[1:3]] == ["t-18", "t-17"]
    assert [each["reference"] for each in found[1:4]] == [made["ref"]] * 3
    assert found[4]["purpose"] == "referral"
    assert len({each["call"] for each in found[3:]}) == 1, "registered, agreed and referred in one call"


def test_a_training_that_starts_its_referral_is_two_lines_of_one_call(apps: Apps) -> None:
    home, operator = apps.network["cpas-hotton"], apps.network["le-trusquin"]
    made = home.refer("le-trusquin")
    operator.done("POST", f"/referrals/{made['ref']}/accept", {})
    named = operator.done("GET", f"/referrals/{made['ref']}")["beneficiary"]
    plan = {"beneficiary": named, "referral_id": made["ref"], "kind": "formation", "goal": "qualify"}
    training = operator.done("POST", "/trainings", plan | {"chosen_by": "together", "planned_start": TODAY})
    operator.done("POST", f"/trainings/{training['ref']}/start", {"started_on": TODAY})
    newest, before = lines(apps, home, beneficiary=made["beneficiary"])[:2]
    assert {(newest["noun"], newest["reference"]), (before["noun"], before["reference"])} == {
        ("training", training["ref"]),
        ("referral", made["ref"]),
    }
    assert (newest["call"], newest["action"]) == (before["call"], "started")


def test_a_list_leaves_a_line_for_each_it_shows(apps: Apps) -> None:
    home, operator = apps.network["cpas-erezee"], apps.network["le-trusquin"]
    made = [home.refer("le-trusquin") for _ in range(12)]
    shown = {each["ref"] for each in operator.done("GET", "/referrals?limit=10")["items"]}
    assert shown == {each["ref"] for each in made[2:]}
    for each in made:
        read = [line for line in lines(apps, home, beneficiary=each["beneficiary"]) if line["action"] == "read"]
        assert len(read) == (1 if each["ref"] in shown else 0)


def test_what_is_refused_leaves_no_line_and_a_repeat_the_line_of_a_read(apps: Apps) -> None:
    home, stranger = apps.network["cpas-hotton"], apps.network["cpas-erezee"]
    key = str(uuid4())
    first, again = (home.done("POST", "/beneficiaries", {"profile": PROFILE}, key=key) for _ in range(2))
    assert first == again
    person = first["beneficiary"]
    refused(stranger.call("GET", f"/beneficiaries/{person}"), 404, "not_found")
    refused(home.call("PUT", f"/beneficiaries/{person}/profile", {"profile": {}}), 422, "invalid")
    stale = {"If-Match": '"7"'}
    refused(home.call("PUT", f"/beneficiaries/{person}/profile", {"profile": PROFILE}, headers=stale), 412, "stale")
    assert short(lines(apps, home, beneficiary=person)) == [
        ("cpas-hotton", "beneficiary", "registered"),
        ("cpas-hotton", "beneficiary", "read"),
    ]


def test_the_coordinator_asks_by_a_reference_and_is_told_no_person(apps: Apps) -> None:
    home, coordinator = apps.network["cpas-hotton"], apps.network["integra-plus"]
    made = home.refer("le-trusquin")
    found = lines(apps, coordinator, reference=made["ref"].lower())
    assert short(found) == [("cpas-hotton", "referral", "sent")]
    assert made["beneficiary"] not in str(found)
    assert made["referral_id"] not in str(found)
    refused(coordinator.call("GET", f"/audit?beneficiary={made['beneficiary']}"), 403, "wrong_scope")
    refused(home.call("GET", f"/audit?reference={made['ref']}"), 403, "wrong_scope")
    refused(coordinator.call("GET", "/audit?reference=R-7K4M-2QQ"), 404, "not_found")


def test_an_audit_is_asked_of_one_thing_by_whose_it_is(apps: Apps) -> None:
    home, operator = apps.network["cpas-hotton"], apps.network["le-trusquin"]
    made = home.refer("le-trusquin")
    alias = operator.done("GET", f"/referrals/{made['ref']}")["beneficiary"]
    for who, named in ((operator, alias), (operator, made["beneficiary"]), (home, alias), (home, str(uuid4()))):
        refused(who.call("GET", f"/audit?beneficiary={named}"), 404, "not_found")
    refused(home.call("GET", "/audit"), 422, "invalid")
    refused(home.call("GET", f"/audit?beneficiary={made['beneficiary']}&reference={made['ref']}"), 422, "invalid")
    refused(home.call("GET", f"/audit?beneficiary={made['beneficiary']}&cursor=x"), 422, "invalid_cursor")


def test_an_audit_is_paged_and_bounded_and_its_own_looks_are_in_it(apps: Apps) -> None:
    home = apps.network["cpas-hotton"]
    person = home.done("POST", "/beneficiaries", {"profile": PROFILE})["beneficiary"]
    for _ in range(4):
        home.done("GET", f"/beneficiaries/{person}")
    path = f"/audit?beneficiary={person}"
    before, after = "2026-01-01T00:00:00Z", "2999-01-01T00:00:00%2B01:00"
    assert home.done("GET", f"{path}&to={before}") == {"items": [], "next": None}
    assert home.done("GET", f"{path}&from={after}") == {"items": [], "next": None}
    got, cursor = [], ""
    while True:
        page = home.done("GET", f"{path}&from={before}&to={after}&limit=2{cursor}")
        got += page["items"]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert short(got)[:5] == [("cpas-hotton", "beneficiary", "registered")] + [
        ("cpas-hotton", "beneficiary", "read") for _ in range(4)
    ]
    assert {each["noun"] for each in got} == {"beneficiary", "audit"}


def test_observation_keeps_who_looked_at_a_pathway(apps: Apps) -> None:
    home, operator = apps.network["cpas-hotton"], apps.network["le-trusquin"]
    made = home.refer("le-trusquin")
    apps.tell()
    alias = operator.done("GET", f"/referrals/{made['ref']}")["beneficiary"]
    operator.done("GET", f"/pathways/{alias}", service="observation", headers={"Jalons-Actor": "t-17"})
    refused(operator.call("GET", f"/pathways/{made['beneficiary']}", service="observation"), 404, "not_found")
    [look] = lines(apps, home, "observation", beneficiary=made["beneficiary"])
    assert (look["partner"], look["actor"], look["noun"], look["action"]) == ("le-trusquin", "t-17", "pathway", "read")
    long = {"Jalons-Actor": "7" + "x" * 36}
    refused(operator.call("GET", f"/pathways/{alias}", service="observation", headers=long), 422, "not_a_code")


@pytest.mark.parametrize("service", ["referrals", "observation"])
@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit SET actor = NULL", "DELETE FROM audit", "DELETE FROM audit WHERE false", "TRUNCATE audit"],
)
def test_no_line_can_be_changed_or_taken_away(apps: Apps, service: str, statement: str) -> None:
    before = apps.rows(service, "SELECT * FROM audit ORDER BY id")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        apps.rows(service, statement)
    assert apps.rows(service, "SELECT * FROM audit ORDER BY id") == before


def test_no_line_holds_a_ref_an_alias_or_a_profile(apps: Apps) -> None:
    home, operator = apps.network["cpas-hotton"], apps.network["le-trusquin"]
    made = home.refer("le-trusquin")
    person = made["beneficiary"]
    alias = operator.done("GET", f"/referrals/{made['ref']}")["beneficiary"]
    home.done("PUT", f"/beneficiaries/{person}/profile", {"profile": PROFILE})
    apps.tell()
    home.done("GET", f"/pathways/{person}", service="observation")
    kept = {
        service: apps.rows(service, "SELECT row_to_json(a)::text AS line, person FROM audit a")
        for service in ("referrals", "observation")
    }
    everything = " ".join(row.line for rows in kept.values() for row in rows)
    for word in (person, alias, UUID(person).hex, UUID(alias).hex, *PROFILE["obstacles"], PROFILE["age_band"]):
        assert word not in everything
    in_one, in_other = ({bytes(row.person) for row in kept[each]} for each in kept)
    assert in_one.isdisjoint(in_other), "the two services' rows cannot be joined"


def test_once_a_person_s_key_is_destroyed_nobody_is_answered_of_them(apps: Apps) -> None:
    home = apps.network["cpas-hotton"]
    person = home.done("POST", "/beneficiaries", {"profile": PROFILE})["beneficiary"]
    assert lines(apps, home, beneficiary=person)
    apps.rows("referrals", "UPDATE person_keys SET wrapped = NULL WHERE ref = %s RETURNING ref", person)
    refused(home.call("GET", f"/audit?beneficiary={person}"), 404, "not_found")


NOBODYS = {
    *(
        "/health/live",
        "/health/ready",
        "/metrics",
        "/.well-known/jwks.json",
        "/.well-known/oauth-authorization-server",
        "/dead-letters",
        "/dead-letters/{letter_id}",
    ),
    *(
        "/partners",
        "/partners/{partner}",
        "/partners/{partner}/clients",
        "/codes",
        "/erasures/{receipt_id}",
        "/forgotten/{receipt_id}",
        "/retention",
        "/communes",
        "/imports/fields",
        "/imports/mapping",
        "/imports/{import_id}",
        "/conventions",
        "/conventions/{convention_id}",
    ),
    *("/offers", "/offers/{offer}", "/events/heads", "/counts", "/counts/measures", "/references/{id}"),
}
"""Routes that show no person: directory, offices, operation and counts; `/s` and `/answer` show a form."""
ENDLESS = {"/stream"}
"""Streams are audited too: see `test_observation_stream`."""


@pytest.fixture(scope="module")
def known(apps: Apps) -> dict[str, str]:
    """One of everything a path may name, all of one person."""
    return one_of_everything(apps)


def test_every_route_that_shows_a_person_leaves_a_line(apps: Apps, known: dict[str, str]) -> None:
    """New routes are tested too; those that show no person are listed above."""
    home, quiet = apps.network["cpas-hotton"], []
    for service in ("referrals", "observation"):
        for path, methods in apps.services[service].app.openapi()["paths"].items():
            if "get" not in methods or path in NOBODYS | ENDLESS | {"/s", "/answer"}:
                continue
            asked = path.format(**known, id=known.get(path.split("/")[1]))
            query = {
                "/audit": f"?beneficiary={known['beneficiary']}",
                "/referrals": "?box=sent",
                "/referrals.csv": "?box=sent",
                "/trainings": "?box=home",
                "/placements": "?box=proposer",
            }.get(path, "")
            before = _count(apps, service)
            answer = home.call("GET", asked + query, service=service)
            assert answer.status_code == 200, f"{service}: how is {path} asked? {answer.text}"
            if _count(apps, service) == before:
                quiet.append(f"{service}: GET {path}")
    assert not quiet, "show a person and leave no line"


def test_every_event_of_a_person_has_its_line(apps: Apps, known: dict[str, str]) -> None:
    """Whichever route wrote it: event and line are in one commit."""
    kept = {(row.call, bytes(row.person)) for row in apps.rows("referrals", "SELECT call, person FROM audit")}
    audit = Audit(SECRET, "referrals")
    said = apps.rows("referrals", "SELECT value FROM events WHERE topic = %s", PATHWAYS.name)
    assert len(said) > 6
    for row in said:
        envelope = read(bytes(row.value)).envelope
        assert (envelope.correlationid, audit.person(envelope.subject)) in kept, envelope.type


def _count(apps: Apps, service: str) -> int:
    return int(apps.rows(service, "SELECT count(*) AS n FROM audit")[0].n)
