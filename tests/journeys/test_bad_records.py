"""A bad record on Kafka is set aside with its reason and offset, and affects no other event."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import psycopg
import pytest
from kafka import KafkaProducer

from jalons.embedded.stack import Stack
from tests.support.broker import login
from tests.support.network import Network, eventually


@pytest.fixture
def producer(stack: Stack) -> Any:
    """A producer that writes to the topics directly."""
    made = KafkaProducer(**login(stack), max_request_size=4 * 1024 * 1024)
    yield made
    made.close()


def _dead_letters(network: Network, service: str) -> list[dict[str, Any]]:
    return list(network.operator.done("GET", "/dead-letters?resolved=true&limit=1000", service=service)["items"])


def _jalons(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jalons", *arguments, "--data", str(stack.folder.path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"COLUMNS": "200"},
    )


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"not json at all", "not a CloudEvent"),
        (None, "null value"),
        (b"x" * 2_000_000, "2000000 bytes"),
        ({"type": "jalons.referral.sung.v1"}, "does not know"),
        ({"type": "jalons.referral.sent.v99"}, "does not know"),
    ],
    ids=["not-json", "null", "2-MB", "unknown-type", "unknown-version"],
)
def test_a_bad_record_is_set_aside_and_the_next_event_is_applied(
    network: Network, stack: Stack, producer: KafkaProducer, value: Any, reason: str
) -> None:
    if isinstance(value, dict):
        value = json.dumps(_event() | value).encode()
    before = {letter["id"] for letter in _dead_letters(network, "observation")}
    put = producer.send("jalons.pathways", key=b"nobody", value=value).get(10)
    after = network["cpas-hotton"].refer("le-trusquin")

    def kept() -> dict[str, Any] | None:
        found = [each for each in _dead_letters(network, "observation") if each["id"] not in before]
        return found[0] if found else None

    letter = eventually(kept)
    assert (letter["kind"], letter["topic"], letter["offset"]) == ("set_aside", "jalons.pathways", put.offset)
    assert reason in letter["reason"]
    eventually(lambda: network.pathway("cpas-hotton", after["beneficiary"]))
    shown = _jalons(stack, "dead-letters", "show", letter["id"])
    assert shown.returncode == 0
    assert letter["reason"] in shown.stdout


def test_an_operator_finds_fixes_and_retries_a_failed_event(network: Network, stack: Stack) -> None:
    """Event k is parked; another subject's events are applied; event k+1 of the same subject waits behind it. After the
    fix and a retry, all are applied in order."""
    hotton, trusquin = network["cpas-hotton"], network["le-trusquin"]
    anna, bela = hotton.refer("le-trusquin"), hotton.refer("le-trusquin")
    eventually(lambda: network.pathway("cpas-hotton", bela["beneficiary"]))
    with psycopg.connect(stack.info["database"], autocommit=True) as conn:
        conn.execute(
            "CREATE FUNCTION observation.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" IF NEW.subject = '{anna['beneficiary']}' AND NEW.type = 'jalons.referral.received.v1'"
            " THEN RAISE EXCEPTION 'a bug in the handler'; END IF; RETURN NEW; END $$"
        )
        conn.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON observation.timeline FOR EACH ROW"
            " EXECUTE FUNCTION observation.refuse()"
        )
        for referral in (anna, bela):
            trusquin.done("POST", f"/referrals/{referral['ref']}/receive", {})
            trusquin.done("POST", f"/referrals/{referral['ref']}/accept", {})
        eventually(lambda: len(_seen(network, bela)) == 5)

        def parked() -> dict[str, Any] | None:
            found = [each for each in _dead_letters(network, "observation") if each["subject"] == anna["beneficiary"]]
            return found[0] if found and found[0]["waiting"] == 1 else None

        letter = eventually(parked)
        assert (letter["kind"], letter["sequence"]) == ("parked", 4)
        assert len(_seen(network, anna)) == 3, "waiting events are not shown"

        assert letter["id"] in _jalons(stack, "dead-letters", "list").stdout
        failed = _jalons(stack, "dead-letters", "retry", letter["id"])
        assert failed.returncode == 1
        assert "Not mended" in failed.stdout
        conn.execute("DROP TRIGGER refuse ON observation.timeline")
        conn.execute("DROP FUNCTION observation.refuse()")
    retried = _jalons(stack, "dead-letters", "retry", letter["id"])
    assert retried.returncode == 0, retried.stdout + retried.stderr
    assert [event["sequence"] for event in _seen(network, anna)] == [1, 2, 3, 4, 5]


def _seen(network: Network, referral: dict[str, Any]) -> list[dict[str, Any]]:
    return list((network.pathway("cpas-hotton", referral["beneficiary"]) or {"events": []})["events"])


def _event() -> dict[str, Any]:
    from schemas.examples import example

    return dict(example("jalons.referral.sent.v1")["event"])
