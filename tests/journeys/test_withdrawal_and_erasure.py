"""Domain.md, section 9, story 4: an agreement is withdrawn, then the person is erased, on real servers."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Mapping
from typing import Any

import psycopg
import pytest
from kafka import KafkaConsumer, TopicPartition
from sqlalchemy import create_engine

from jalons.database import engine, transaction
from jalons.embedded.stack import Stack
from jalons.messaging import progress
from jalons.messaging.codec import opened, read
from jalons.messaging.outbox import Outbox
from jalons.privacy.keys import GONE
from jalons.process.migrate import upgrade
from schemas.envelope import Event
from schemas.topics import PATHWAYS
from services.observation.pathways import rows as store
from services.observation.pathways.apply import Project
from tests.support.broker import login
from tests.support.calls import refused, sheet
from tests.support.days import day
from tests.support.network import PROFILE, Network, eventually
from tests.support.stream import MONTHS, hub_token

REASONS = ("qualify", "together", "lower_secondary", "alone_children", "garde_enfants")


def _trained(network: Network, referral: dict[str, Any]) -> str:
    """Le Trusquin accepts and completes a training; returns its alias of the person."""
    trusquin = network["le-trusquin"]
    alias = str(trusquin.done("GET", f"/referrals/{referral['ref']}")["beneficiary"])
    trusquin.done("POST", f"/referrals/{referral['ref']}/accept", {"first_contact_on": day(1)})
    planned = {
        "beneficiary": alias,
        "referral_id": referral["ref"],
        "kind": "formation",
        "goal": "qualify",
        "chosen_by": "together",
        "planned_start": day(),
    }
    training = trusquin.done("POST", "/trainings", planned)["training_id"]
    trusquin.done("POST", f"/trainings/{training}/start", {"started_on": day()})
    trusquin.done("POST", f"/trainings/{training}/complete", {"outcome": "acquired", "hours_done": 12})
    return alias


def _mailed(network: Network, to: str, subject: str) -> list[dict[str, Any]]:
    return [mail for mail in network.mails() if to in str(mail["to"]) and mail["subject"].startswith(subject)]


def _seen_by(network: Network, who: str, beneficiary: str) -> int:
    return network[who].call("GET", f"/pathways/{beneficiary}", service="observation").status_code


def test_withdrawing_an_agreement_hides_the_person_from_its_holders(network: Network) -> None:
    home, trusquin = network["cpas-hotton"], network["le-trusquin"]
    referral = home.refer("le-trusquin")
    ref = referral["beneficiary"]
    seen = trusquin.done("GET", f"/referrals/{referral['ref']}")
    assert seen["disclosed"]
    eventually(lambda: _seen_by(network, "le-trusquin", seen["beneficiary"]) == 200)

    [consent] = home.done("GET", f"/beneficiaries/{ref}/consents")["items"]
    home.done("DELETE", f"/beneficiaries/{ref}/consents/{consent['consent_id']}")
    left = trusquin.done("GET", f"/referrals/{referral['ref']}")
    assert not left.keys() & {"disclosed", "reason", "goal"}, "reference and status only"
    eventually(lambda: _seen_by(network, "le-trusquin", seen["beneficiary"]) == 404)
    assert _seen_by(network, "cpas-hotton", ref) == 200
    [mail] = eventually(lambda: _mailed(network, "accueil@le-trusquin.example", f"Accord retiré : {referral['ref']}"))
    assert "CPAS de Hotton" in mail["text"]
    assert not _mailed(network, "cpas-hotton", "Accord retiré"), "the partner that recorded it gets no mail"

    home.refer("le-trusquin", beneficiary=ref, again=True)
    eventually(lambda: _seen_by(network, "le-trusquin", seen["beneficiary"]) == 200)


@pytest.fixture(scope="module")
def erased(network: Network, stack: Stack) -> dict[str, Any]:
    """A person with a referral, a training and a pathway, whose erasure every service has applied."""
    home = network["cpas-hotton"]
    key = uuid.uuid4().hex
    sent = sheet(person={"profile": PROFILE, "local_ref": f"ERASED-1{key[:20]}"})
    referral = home.done("POST", "/referrals", sent, key=key)
    ref, alias = referral["beneficiary"], _trained(network, referral)
    eventually(lambda: len((network.pathway("cpas-hotton", ref) or {"events": []})["events"]) == 8)
    counted = _counts(network)
    refused(network["cpas-erezee"].call("DELETE", f"/beneficiaries/{ref}"), 404, "not_found")
    answer = home.call("DELETE", f"/beneficiaries/{ref}")
    assert answer.status_code == 202, answer.text
    receipt_id = answer.json()["receipt_id"]

    def applied() -> dict[str, Any] | None:
        receipt = home.done("GET", f"/erasures/{receipt_id}")
        return receipt if {each["status"] for each in receipt["services"]} == {"applied"} else None

    receipt = eventually(applied)
    return {
        "ref": ref,
        "alias": alias,
        "referral": referral,
        "receipt": receipt,
        "sent": sent,
        "key": key,
        "counted": counted,
    }


def _counts(network: Network) -> dict[str, int]:
    measures = ("persons_new", "referrals_sent", "referrals_accepted", "trainings_started")
    return {
        each: network["cpas-hotton"].done("GET", f"/counts?measure={each}&by=month&{MONTHS}", service="observation")[
            "total"
        ]
        for each in measures
    }


def test_the_receipt_lists_what_each_service_erased_and_what_lies_outside(
    network: Network, erased: dict[str, Any]
) -> None:
    receipt = erased["receipt"]
    assert [each["service"] for each in receipt["services"]] == ["referrals", "observation", "notifications"]
    assert all(each["applied_at"] >= receipt["at"] for each in receipt["services"])
    [outside] = receipt["outside_the_hub"]
    assert outside["partner"] == "le-trusquin"
    assert erased["referral"]["ref"] in outside["references"]
    assert receipt["kept_without_the_person"]["acts"] == 2
    assert erased["ref"] not in str(receipt) and "ERASED-" not in str(receipt)
    refused(network["cpas-erezee"].call("GET", f"/erasures/{receipt['receipt_id']}"), 404, "not_found")
    assert eventually(
        lambda: _mailed(network, "accueil@le-trusquin.example", f"Effacement : {erased['referral']['ref']}")
    )


def test_the_erased_person_is_not_found_and_the_counterpart_keeps_the_statuses(
    network: Network, erased: dict[str, Any]
) -> None:
    home, trusquin, ref = network["cpas-hotton"], network["le-trusquin"], erased["ref"]
    for path in (f"/beneficiaries/{ref}", f"/beneficiaries/{ref}/disclosures", f"/beneficiaries/{ref}/consents"):
        refused(home.call("GET", path), 404, "not_found")
    assert home.done("GET", f"/beneficiaries?local_ref=ERASED-1{erased['key'][:20]}")["items"] == []
    assert _seen_by(network, "cpas-hotton", ref) == 404
    assert _seen_by(network, "le-trusquin", erased["alias"]) == 404
    for party in (home, trusquin):
        left = party.done("GET", f"/referrals/{erased['referral']['ref']}")
        assert (left["status"], left["beneficiary"], left["actions"]) == ("started", None, [])
        assert not {"reason", "goal", "chosen_by", "disclosed"} & left.keys()
        assert not [each for each in REASONS if each in str(left)]
    complete = trusquin.call("POST", f"/referrals/{erased['referral']['ref']}/complete", {"outcome": "reached"})
    refused(complete, 409, "person_erased")
    refused(home.call("DELETE", f"/beneficiaries/{ref}"), 404, "not_found")
    repeated = home.call("POST", "/referrals", erased["sent"], key=erased["key"])
    refused(repeated, 410, "person_erased")
    assert _counts(network) == erased["counted"], "totals are unchanged"


def test_only_logs_and_key_tombstones_keep_the_ref(stack: Stack, erased: dict[str, Any]) -> None:
    found = set()
    with psycopg.connect(stack.info["database"]) as conn:
        tables = conn.execute(
            "SELECT table_schema, table_name FROM information_schema.tables"
            " WHERE table_schema IN ('referrals', 'observation', 'notifications')"
        ).fetchall()
        for schema, table in tables:
            names = [f"%{each}%" for each in (erased["ref"], erased["alias"], f"ERASED-1{erased['key'][:20]}")]
            hits = conn.execute(
                f"SELECT count(*) FROM {schema}.{table} AS t WHERE t::text LIKE ANY(%s)", (names,)
            ).fetchone()
            if hits and hits[0]:
                found.add(f"{schema}.{table}")
    assert found == {
        *("referrals.events", "observation.events"),  # as on Kafka: the clear part, under a ref that leads to nobody
        "referrals.person_keys",  # records that the key is destroyed
        *("observation.progress", "notifications.progress"),  # the last applied sequence number
    }


def test_a_replay_from_the_first_offset_reveals_nothing_about_the_person(
    network: Network, stack: Stack, erased: dict[str, Any]
) -> None:
    ref = erased["ref"]
    values = _from_the_first_offset(stack, ref)
    records = [read(value, topic=PATHWAYS.name, key=ref.encode()) for value in values]
    assert records[-1].envelope.type == "jalons.beneficiary.erased.v1"
    assert sum(record.sealed is not None for record in records) >= 5, "the log has sealed events"
    answer = network.http.post(
        f"{stack.info['referrals']}/keys/resolve",
        json={"subjects": [ref]},
        headers=hub_token(network, stack.secrets["hub_client_secret"]),
    )
    assert answer.json() == {"keys": {ref: None}}, "the key is reported as destroyed"
    text = b"".join(values).decode()
    assert not [each for each in (*REASONS, "25-29", "ERASED-") if f'"{each}' in text]

    events = [opened(record, GONE) for record in records]
    assert all(event.sealed is None for event in events)
    assert _replayed(stack, events) == {
        "persons_new": 1,
        "referrals_sent": 1,
        "referrals_accepted": 1,
        "trainings_started": 1,
        "trainings_completed": 1,
    }


def _from_the_first_offset(stack: Stack, ref: str) -> list[bytes]:
    client = KafkaConsumer(**login(stack), group_id=None, consumer_timeout_ms=3000)
    try:
        client.assign([TopicPartition(PATHWAYS.name, n) for n in range(PATHWAYS.partitions)])
        client.seek_to_beginning()
        headers = ("source", b"/services/referrals")
        return [record.value for record in client if record.key == ref.encode() and headers in record.headers]
    finally:
        client.close()


def _replayed(stack: Stack, events: list[Event]) -> Mapping[str, int]:
    """Replay into a separate schema, as a rebuild does; it contains the counts, but nothing about the person."""
    name, ref = f"replayed_{uuid.uuid4().hex[:8]}", uuid.UUID(events[0].subject)
    admin = create_engine(stack.database_url)
    with admin.connect() as conn:
        upgrade(conn, "observation", name)
    admin.dispose()
    pool = engine(stack.database_url, name, pool=2)
    project = Project(Outbox("observation"), lambda _ref, _partner: uuid.uuid4(), lambda _subject: None)
    with transaction(pool) as conn:
        project(conn, progress.claim(conn, events).ready, publish=False)
        assert store.person_of(conn, ref, "cpas-hotton") is None
        assert store.events_of(conn, ref, events[-1].recorded) == []
        assert store.steps_of(conn, ref, events[-1].recorded) == []
    with psycopg.connect(stack.info["database"]) as conn:
        counted = dict(conn.execute(f"SELECT measure, sum(n)::int FROM {name}.counts GROUP BY measure").fetchall())
        conn.execute(f"DROP SCHEMA {name} CASCADE")
    pool.dispose()
    return counted


def test_the_operator_erases_persons_past_retention_and_learns_only_their_number(
    network: Network, stack: Stack
) -> None:
    home = network["cpas-hotton"]
    registered = {"profile": PROFILE, "happened_on": day(-1700)}
    made = [home.done("POST", "/beneficiaries", registered)["beneficiary"] for _ in range(3)]
    old, back, recent = made
    for ref, on in ((old, day(-1600)), (back, day(-1599)), (recent, day(-25))):
        home.done("POST", f"/beneficiaries/{ref}/leave", {"reason": "moved", "happened_on": on})
    longer = {
        "parties": ["cpas-erezee", "integra-plus"],
        "valid_from": "2026-01-01",
        "scope": [{"from": "cpas-erezee", "to": "integra-plus", "moments": ["projet"]}],
        "shared_attributes": [],
        "legal_basis": "6.1.e",
        "retention_months": 60,
    }
    assert network.operator.done("POST", "/conventions", longer)["retention_months"] == 60
    elsewhere = network["cpas-erezee"]
    kept = elsewhere.done("POST", "/beneficiaries", registered)["beneficiary"]
    elsewhere.done("POST", f"/beneficiaries/{kept}/leave", {"reason": "moved", "happened_on": day(-1122)})
    refused(home.call("GET", "/retention"), 403, "wrong_scope")
    looked = _jalons(stack, "retention", "--dry-run")
    assert [line.split() for line in looked.stdout.splitlines()][1:] == [["cpas-hotton", "2"]]
    assert old not in looked.stdout
    assert home.done("GET", f"/beneficiaries/{old}")["status"] == "left", "a dry run erases nothing"

    home.done("POST", f"/beneficiaries/{back}/resume")
    assert "1 erased" in _jalons(stack, "retention").stdout
    assert [home.call("GET", f"/beneficiaries/{ref}").status_code for ref in made] == [404, 200, 200]
    eventually(lambda: _seen_by(network, "cpas-hotton", old) == 404)
    assert "Nobody is due" in _jalons(stack, "retention").stdout


def _jalons(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jalons", *arguments, "--data", str(stack.folder.path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
