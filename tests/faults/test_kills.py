"""After kill -9 and SIGSTOP, every answered call is in its pathway once, in order, and counted."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psycopg
import pytest
from kafka import KafkaConsumer, TopicPartition

from jalons.embedded.stack import Stack
from tests.support.accidents import back, kill, stop_a_while
from tests.support.broker import login
from tests.support.network import Network, eventually
from tests.support.stream import Stream, check

pytestmark = pytest.mark.timeout(240)


@pytest.mark.parametrize("name", ["referrals", "observation", "notifications", "kafka", "postgres"])
def test_kill_9_during_a_stream_of_calls_loses_nothing(victim: Stack, partners: Network, name: str) -> None:
    with Stream(partners) as stream:
        stream.wait_for(10)
        kill(victim, name)
        stream.wait_for(10)
    check(partners, stream, victim.secrets, seconds=90)


def test_a_service_stopped_beyond_its_session_timeout_continues(victim: Stack, partners: Network) -> None:
    with Stream(partners) as stream:
        stream.wait_for(10)
        stop_a_while(victim, "observation", 14)
        stream.wait_for(10)
    check(partners, stream, victim.secrets, seconds=90)


def test_duplicates_of_a_relay_killed_between_send_and_mark_are_dropped(victim: Stack, partners: Network) -> None:
    """A lock delays marking until the broker has the event."""
    stream = Stream(partners, callers=0)
    before = _ends(victim)
    with _no_marking(victim):
        stream._one_way()
        eventually(lambda: _ends(victim) > before, 15)
        pid = victim.pid_of("referrals")
        victim.kill("referrals", signal.SIGKILL)
    back(victim, "referrals", pid)
    check(partners, stream, victim.secrets)
    written = len(partners.pathway("cpas-hotton", stream.answered[0].beneficiary)["events"])
    assert _ends(victim) - before > written, "the topic contains duplicates"


@pytest.mark.parametrize("name", ["observation", "notifications"])
def test_a_consumer_killed_between_commit_and_ack_applies_nothing_twice(
    victim: Stack, partners: Network, name: str
) -> None:
    """Offsets are committed every two seconds, so a kill right after events are applied normally comes before their
    ack. If it comes after it, the test tries again with another referral."""
    stream = Stream(partners, callers=0)
    for _ in range(4):
        time.sleep(3)  # earlier events are acknowledged by now
        already = _delivered(partners, name, "applied")
        stream._one_way()
        eventually(lambda seen=already: _delivered(partners, name, "applied") >= seen + 4, 10)
        kill(victim, name)
        if _reads_again(partners, name):
            break
    else:
        pytest.fail("no kill came between a commit and its ack")
    check(partners, stream, victim.secrets)
    told = [(mail["to"], mail["subject"], mail["text"]) for mail in partners.mails()]
    assert len(told) == len(set(told)), "no mail is sent twice"


def _reads_again(partners: Network, name: str) -> bool:
    """Whether the restarted process drops a record as seen."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if _delivered(partners, name, "seen") > 0:
            return True
        time.sleep(0.2)
    return False


def _delivered(partners: Network, name: str, outcome: str) -> float:
    """Number of records a service's process has delivered with this outcome; 0 while it does not answer."""
    try:
        text = partners.http.get(f"{partners.info[name]}/metrics").text
    except httpx.TransportError:
        return 0
    found = [line for line in text.splitlines() if line.startswith("jalons_events_delivered_total") and outcome in line]
    return sum(float(line.rsplit(" ", 1)[1]) for line in found)


def _ends(victim: Stack) -> int:
    """Number of records on the pathways' topic."""
    client = KafkaConsumer(**login(victim), group_id=None)
    try:
        partitions = [TopicPartition("jalons.pathways", number) for number in range(12)]
        return sum(client.end_offsets(partitions).values())
    finally:
        client.close()


@contextmanager
def _no_marking(victim: Stack) -> Iterator[None]:
    """Block marking: rows of the outbox can be inserted and read, but not updated."""
    with psycopg.connect(victim.info["database"], autocommit=True) as conn:
        conn.execute(
            "CREATE FUNCTION referrals.hold() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN NEW; END $$"
        )
        conn.execute(
            "CREATE TRIGGER hold BEFORE UPDATE ON referrals.events FOR EACH ROW EXECUTE FUNCTION referrals.hold()"
        )
        conn.execute("SELECT pg_advisory_lock(42)")
        try:
            yield
        finally:
            conn.execute("SELECT pg_advisory_unlock(42)")
            conn.execute("DROP TRIGGER hold ON referrals.events")
            conn.execute("DROP FUNCTION referrals.hold()")
