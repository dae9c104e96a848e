"""kill -9 and SIGSTOP under a stream of calls: what was answered is in the pathway once, in order, and counted."""

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
from tests.support.network import Network, eventually
from tests.support.stream import Stream, check

pytestmark = pytest.mark.timeout(240)


@pytest.mark.parametrize("name", ["referrals", "observation", "notifications", "kafka", "postgres"])
def test_kill_9_under_a_stream_of_calls(victim: Stack, partners: Network, name: str) -> None:
    with Stream(partners) as stream:
        stream.wait_for(10)
        kill(victim, name)
        stream.wait_for(10)
    check(partners, stream, victim.secrets["hub_client_secret"], seconds=90)


def test_a_service_stopped_past_its_session_timeout_goes_on_as_if_nothing_were(
    victim: Stack, partners: Network
) -> None:
    with Stream(partners) as stream:
        stream.wait_for(10)
        stop_a_while(victim, "observation", 14)
        stream.wait_for(10)
    check(partners, stream, victim.secrets["hub_client_secret"], seconds=90)


def test_the_relay_killed_between_send_and_mark_sends_twice_and_nobody_sees_it(
    victim: Stack, partners: Network
) -> None:
    """The mark is held up by a lock on the event's row; the broker has the event by then."""
    stream = Stream(partners, callers=0)
    before = _ends(victim)
    with _no_marking(victim):
        stream._one_way()
        eventually(lambda: _ends(victim) > before, 15)
        pid = victim.pid_of("referrals")
        victim.kill("referrals", signal.SIGKILL)
    back(victim, "referrals", pid)
    check(partners, stream, victim.secrets["hub_client_secret"])
    written = len(partners.pathway("cpas-hotton", stream.answered[0].beneficiary)["events"])
    assert _ends(victim) - before > written, "some of it is on the topic twice"


@pytest.mark.parametrize("name", ["observation", "notifications"])
def test_a_consumer_killed_between_its_commit_and_its_ack_reads_again_and_applies_nothing_twice(
    victim: Stack, partners: Network, name: str
) -> None:
    """Offsets are committed every two seconds: a kill right after events are applied comes before their ack, or once
    in a while just after it; then another way is gone."""
    stream = Stream(partners, callers=0)
    for _ in range(4):
        time.sleep(3)  # what was read before is acknowledged by now
        already = _delivered(partners, name, "applied")
        stream._one_way()
        eventually(lambda seen=already: _delivered(partners, name, "applied") >= seen + 4, 10)
        kill(victim, name)
        if _reads_again(partners, name):
            break
    else:
        pytest.fail("no kill came between a commit and its ack")
    check(partners, stream, victim.secrets["hub_client_secret"])
    told = [(mail["to"], mail["subject"], mail["text"]) for mail in partners.mails()]
    assert len(told) == len(set(told)), "nobody is told twice"


def _reads_again(partners: Network, name: str) -> bool:
    """Whether the restarted process drops a record as seen."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if _delivered(partners, name, "seen") > 0:
            return True
        time.sleep(0.2)
    return False


def _delivered(partners: Network, name: str, outcome: str) -> float:
    """How many records a service's process has delivered with this outcome; none while it is away."""
    try:
        text = partners.http.get(f"{partners.info[name]}/metrics").text
    except httpx.TransportError:
        return 0
    found = [line for line in text.splitlines() if line.startswith("jalons_events_delivered_total") and outcome in line]
    return sum(float(line.rsplit(" ", 1)[1]) for line in found)


def _ends(victim: Stack) -> int:
    """How many records the pathways' topic holds."""
    client = KafkaConsumer(bootstrap_servers=victim.kafka_address, group_id=None)
    try:
        partitions = [TopicPartition("jalons.pathways", number) for number in range(12)]
        return sum(client.end_offsets(partitions).values())
    finally:
        client.close()


@contextmanager
def _no_marking(victim: Stack) -> Iterator[None]:
    """Hold every mark up: new rows of the outbox can be written and read, not updated."""
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
