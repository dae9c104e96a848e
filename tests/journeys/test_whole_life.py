"""Every transition of the life cycles works, and every type of the catalogue occurs on Kafka."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from jalons.clock import BRUSSELS, local_date, now
from jalons.embedded.stack import Stack
from schemas.catalogue import TYPES
from schemas.topics import TOPICS
from services.referrals.acts import lifecycle
from services.referrals.acts.lifecycle import Table
from tests.support.accidents import back
from tests.support.broker import login
from tests.support.calls import offer, sheet
from tests.support.network import ATTRIBUTES, PROFILE, Network, Partner, eventually, partner
from tests.support.pages import slip_code, well_made
from tests.support.walking import Walk, walks

TABLES = {"referral": lifecycle.REFERRAL, "training": lifecycle.TRAINING, "placement": lifecycle.PLACEMENT}
FIRST_DAY = local_date(now()) + timedelta(days=150)
"""Later than all other journeys on this hub."""
LAST_DAY = FIRST_DAY + timedelta(days=400)
OFFER = "assez-de-places"


def at(day: date, clock: str = "10:00") -> str:
    """A local time in Brussels, as RFC 3339."""
    return datetime.fromisoformat(f"{day.isoformat()} {clock}").replace(tzinfo=BRUSSELS).isoformat()


def goes_to(network: Network, day: date) -> None:
    """Move the hub's time, and wait until every service has seen it (within a second)."""
    network.operator.done("POST", "/test/clock", {"now": at(day)})
    time.sleep(1.1)


@pytest.fixture(scope="module")
def there(moved: Stack) -> Network:
    """Intégra Plus with a second operator, and an offer with enough places for all tests."""
    network = Network(moved.info).load()
    goes_to(network, FIRST_DAY)
    rendeux = partner("training_operator", ["formation"], name="Forma Rendeux", mailbox="accueil@rendeux.example")
    network.join("rendeux", rendeux, ["partner"])
    scope = [{"from": "cpas-hotton", "to": "rendeux", "moments": ["formation"]}]
    signed = Network.convention() | {"parties": ["cpas-hotton", "rendeux"], "scope": scope}
    network.operator.done("POST", "/conventions", signed)
    roomy = offer(moment="formation", type="formation", places=500)
    network["le-trusquin"].done("PUT", f"/offers/{OFFER}", roomy)
    network["rendeux"].done("PUT", "/offers/chez-rendeux", roomy | {"partner": "rendeux"})
    return network


@pytest.fixture(scope="module")
def lives(there: Network) -> dict[str, Walk]:
    """The three life cycles in that network."""
    return walks(there, FIRST_DAY.isoformat())


@pytest.mark.parametrize("noun", TABLES)
def test_every_transition_works_from_every_status_in_every_role(lives: dict[str, Walk], noun: str) -> None:
    life, taken = lives[noun], set()
    for row, source, role in life.steps():
        expected, found = life.walk(row, source, role)
        assert found == expected, f"{noun}: {row.action} from {source} by {role}"
        taken.add((row, source, role))
    assert not set(_all(life.table)) - taken, "left to the hub, and to what follows from it"


def _all(table: Table) -> Iterator[tuple[Any, str, str]]:
    """Every transition by status and role, except those of the hub and those that only the hub's transitions reach."""
    for row in table:
        for source in row.source - {"expired"}:
            for role in row.by - {lifecycle.HUB}:
                yield row, source, role


@pytest.fixture(scope="module")
def aged(there: Network, moved: Stack, lives: dict[str, Walk]) -> dict[str, dict[str, Any]]:
    """Acts that no partner touches for a year, with the status the hub gave them."""
    home, referral = there["cpas-hotton"], lives["referral"]
    person = home.refer("le-trusquin")
    other = {"beneficiary": person["beneficiary"], "recipient": "rendeux", "alternative_to": person["referral_id"]}
    alternative = home.done("POST", "/referrals", sheet(person=None, **other))
    for action in ("accept", "start"):
        referral.act(person, action, "recipient")
    lapsed = eventually(lambda: _status(there, "referral", alternative, "cancelled"))

    end = (FIRST_DAY + timedelta(days=100)).isoformat()
    worked = lives["placement"].at("started")
    ends = {"kind": "cdd", "employer": "home-hotton", "planned_end": end, "planned_start": FIRST_DAY.isoformat()}
    sense = {"goal": "find_job", "chosen_by": "person", "beneficiary": worked["beneficiary"]}
    short = home.done("POST", "/placements", ends | sense)
    lives["placement"].act(short, "confirm", "employer")
    lives["placement"].act(short, "start", "employer")
    left = {
        "unanswered": referral.begin(),
        "waitlisted": referral.at("waitlisted"),
        "accepted": referral.at("accepted"),
        "enrolled": lives["training"].at("enrolled"),
        "ended": lives["placement"].at("ended"),
    }
    expires = (FIRST_DAY + timedelta(days=5)).isoformat()
    home.refer("rendeux", agreement={"channel": "oral", "attributes": ATTRIBUTES, "expires_on": expires})
    scope = [{"from": "cpas-erezee", "to": "rendeux", "moments": ["formation"]}]
    brief = Network.convention() | {"parties": ["cpas-erezee", "rendeux"], "scope": scope, "valid_to": expires}
    there.operator.done("POST", "/conventions", brief)

    goes_to(there, FIRST_DAY + timedelta(days=5))  # the home partner is asked about what ends today
    _written(there, "consent.renewal_due", "convention.renewal_due")
    goes_to(there, FIRST_DAY + timedelta(days=6))  # reminders are due, and no escalation, whatever weekday it began on
    time.sleep(1.5)
    _late_mail(there, moved, FIRST_DAY + timedelta(days=15))
    for days in (18, 31, 60, 100, 130, 190, 250):
        goes_to(there, FIRST_DAY + timedelta(days=days))
        time.sleep(0.5)
    goes_to(there, LAST_DAY)
    for name in ("unanswered", "waitlisted"):
        eventually(lambda name=name: _status(there, "referral", left[name], "expired"))
    return {**left, "lapsed": lapsed}


def _late_mail(network: Network, moved: Stack, day: date) -> None:
    """Notifications receives a referral over a week after it was sent, and sends no mail."""
    pid = moved.pid_of("notifications")
    os.kill(pid, signal.SIGSTOP)
    network["cpas-hotton"].refer("le-trusquin")
    goes_to(network, day)
    moved.kill("notifications", signal.SIGKILL)
    back(moved, "notifications", pid)


def _status(network: Network, noun: str, made: dict[str, Any], status: str) -> dict[str, Any] | None:
    seen = network["cpas-hotton"].done("GET", f"/{noun}s/{made['ref']}")
    return seen if seen["status"] == status else None


def test_the_hubs_own_transitions_happen_and_allow_further_actions(
    there: Network, lives: dict[str, Walk], aged: dict[str, dict[str, Any]]
) -> None:
    assert aged["lapsed"]["status"] == "cancelled"
    referral = lives["referral"]
    referral.act(aged["unanswered"], "suggest", lifecycle.Office.COORDINATOR)
    agreement = {"channel": "oral", "attributes": ATTRIBUTES}
    again = there["cpas-hotton"].done(
        "POST", f"/referrals/{aged['unanswered']['ref']}/redirect", {"recipient": "rendeux", "agreement": agreement}
    )
    assert again["recipient"] == "rendeux"
    assert _status(there, "referral", aged["unanswered"], "redirected")
    referral.act(aged["waitlisted"], "void", "referrer")
    assert _status(there, "referral", aged["waitlisted"], "voided")
    taken = {row.action for row in TABLES["referral"] if "expired" in row.source}
    assert taken == {"suggest", "redirect", "void"}, "test every other action that is possible from here"


def test_every_type_of_the_catalogue_occurs_on_kafka(
    there: Network, moved: Stack, aged: dict[str, dict[str, Any]]
) -> None:
    assert aged
    lives = walks(there, LAST_DAY.isoformat())
    for noun, table in TABLES.items():
        known = _on_the_bus(moved, noun)
        for row in table:
            if row.source and row.action not in known:
                _walked(lives[noun], row)
    _called_back(there, lives["placement"].begin())
    _directory(there)
    _person(there)
    _dead_letters(there, moved)
    until = time.monotonic() + 30
    while (unreached := set(TYPES) - _types(moved)) and time.monotonic() < until:
        time.sleep(0.5)
    assert not unreached, "no journey causes these"
    with psycopg.connect(moved.info["database"]) as conn:
        for service in ("referrals", "observation", "notifications"):
            written = {row[0] for row in conn.execute(f"SELECT DISTINCT topic FROM {service}.events").fetchall()}
            assert written == {topic.name for topic in TOPICS if service in topic.writers}, "what it may, it needs"


def _walked(life: Walk, row: Any) -> None:
    """Take a transition, so that the test does not depend on others."""
    for each, source, role in life.steps():
        if each is row:
            life.walk(row, source, role)
            return


def _on_the_bus(moved: Stack, noun: str) -> set[str]:
    return {type_.split(".")[2].replace("_", "-") for type_ in _types(moved) if type_.split(".")[1] == noun}


def _types(moved: Stack) -> set[str]:
    """Types of all events, read from each topic's first offset."""
    client = KafkaConsumer(**login(moved), group_id=None, consumer_timeout_ms=1000)
    try:
        places = [TopicPartition(each.name, n) for each in TOPICS for n in range(each.partitions)]
        client.assign(places)
        client.seek_to_beginning()
        return {dict(record.headers)["type"].decode() for record in client if "type" in dict(record.headers)}
    finally:
        client.close()


def _directory(network: Network) -> None:
    """The complete life of a partner, a convention and an offer."""
    operator = network.operator
    record = partner("training_operator", ["formation"], name="Passage", mailbox="accueil@passage.example")
    passing = network.join("passage", record, ["partner"])
    _no_mailbox(network, "passage")
    scope = [{"from": "cpas-hotton", "to": "passage", "moments": ["formation"]}]
    signed = Network.convention() | {"parties": ["cpas-hotton", "passage"], "scope": scope}
    convention = operator.done("POST", "/conventions", signed)["convention_id"]
    passing.done("PUT", "/offers/une-place", offer(partner="passage", moment="formation", type="formation", places=1))
    sent = network["cpas-hotton"].refer("passage", offer="une-place")
    passing.done("POST", f"/referrals/{sent['ref']}/accept", {"first_contact_on": LAST_DAY.isoformat()})
    undeliverable = "/deliveries?status=failed"
    eventually(lambda: passing.done("GET", undeliverable, service="notifications")["items"], 60)
    closed = offer(partner="passage", moment="formation", type="formation", places=1) | {"status": "closed"}
    passing.done("PUT", "/offers/une-place", closed)
    operator.done("PUT", "/partners/passage", record | {"name": "Le Passage"})
    for action, then in (
        ("suspend", "consent.lapsed"),
        ("resume", "consent.restored"),
        ("terminate", "consent.lapsed"),
    ):
        operator.done("POST", f"/conventions/{convention}/{action}")
        _written(network, then)
    for status in ("suspended", "active", "left"):
        operator.done("PUT", "/partners/passage/status", {"status": status})


def _written(network: Network, *types: str) -> None:
    """Wait until referrals' log has events of these types."""
    with psycopg.connect(network.info["database"], autocommit=True) as conn:
        for each in types:
            asked = ("SELECT count(*) FROM referrals.events WHERE type = %s", (f"jalons.{each}.v1",))
            eventually(lambda asked=asked: conn.execute(*asked).fetchone()[0])


def _called_back(network: Network, placement: dict[str, Any]) -> None:
    """An employer calls the network's front, which has the accompanist call back."""
    made = network.operator.done("POST", "/partners/integra-plus/clients", {"scopes": ["partner"]})
    front = Partner(network, "integra-plus", made["client_id"], made["client_secret"])
    front.done("POST", f"/references/{placement['ref']}/call-back")


def _no_mailbox(network: Network, slug: str) -> None:
    """Notifications knows a mailbox that is none, as from before mailboxes were checked at the door."""
    with psycopg.connect(network.info["database"], autocommit=True) as conn:
        spoil = "UPDATE notifications.partners SET mailbox = 'accueil' WHERE slug = %s"
        eventually(lambda: conn.execute(spoil, (slug,)).rowcount)


def _person(network: Network) -> None:
    """The complete life of a person, with an answer of their own."""
    home = network["cpas-hotton"]
    sent = home.refer("le-trusquin")
    person = f"/beneficiaries/{sent['beneficiary']}"
    code = slip_code(home.call("GET", f"/referrals/{sent['ref']}/slip"))
    address = f"{network.info['referrals']}/s"
    form = well_made(network.http.get(f"{address}/{code}", follow_redirects=True)).forms()[""]
    well_made(network.http.post(f"{address}/word", data=form | {"said": "contacted"}, follow_redirects=True))
    need = {"domain": "langue", "kind": "need", "source": "public", "commune_nis": "83028"}
    home.done("POST", "/needs", need)
    home.done("POST", "/needs", need | {"beneficiary": sent["beneficiary"]})
    home.done(
        "POST", "/activities", {"beneficiary": sent["beneficiary"], "on": LAST_DAY.isoformat(), "form": "societe"}
    )
    home.done("PUT", f"{person}/profile", {"profile": PROFILE | {"status": "art60"}})
    home.done("POST", f"{person}/pause", {})
    home.done("POST", f"{person}/resume", {})
    consent = home.done("GET", f"{person}/consents")["items"][0]["consent_id"]
    home.done("DELETE", f"{person}/consents/{consent}")
    home.done("POST", f"{person}/leave", {"reason": "found_work"})
    home.done("DELETE", person)


def _dead_letters(network: Network, moved: Stack) -> None:
    """An unreadable record, and an event that observation cannot apply."""
    producer = KafkaProducer(**login(moved))
    producer.send("jalons.pathways", key=b"nobody", value=b"not json at all").get(10)
    producer.close()
    home = network["cpas-hotton"]
    stuck = home.refer("le-trusquin")
    eventually(lambda: network.pathway("cpas-hotton", stuck["beneficiary"]))
    with psycopg.connect(moved.info["database"], autocommit=True) as conn:
        conn.execute(
            "CREATE FUNCTION observation.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" IF NEW.subject = '{stuck['beneficiary']}' THEN RAISE EXCEPTION 'a bug in the handler'; END IF;"
            " RETURN NEW; END $$"
        )
        conn.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON observation.timeline FOR EACH ROW"
            " EXECUTE FUNCTION observation.refuse()"
        )
        try:
            home.done("POST", f"/referrals/{stuck['ref']}/cancel", {"reason": "person_stops"})
            asked = "/dead-letters?limit=1000"
            eventually(
                lambda: (
                    stuck["beneficiary"]
                    in json.dumps(network.operator.done("GET", asked, service="observation")["items"])
                )
            )
        finally:
            conn.execute("DROP TRIGGER refuse ON observation.timeline")
            conn.execute("DROP FUNCTION observation.refuse()")
