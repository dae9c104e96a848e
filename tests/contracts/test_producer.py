"""The relay sends the outbox in order and loses nothing when its producer, broker or connection fails."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaConfigurationError, KafkaTimeoutError
from sqlalchemy import Engine

from jalons.database import transaction
from jalons.embedded.stack import Servers
from jalons.messaging import kafka
from jalons.messaging import relay as relay_module
from jalons.messaging.relay import Producer
from jalons.process import parts
from jalons.process.settings import Settings
from tests.support.events import person
from tests.support.network import eventually
from tests.support.relaying import TYPE, Desk, MemoryBroker
from tests.support.sql import execute


@pytest.fixture
def desk(servers: Servers, database: Engine, schema: str) -> Iterator[Desk]:
    desk = Desk(servers, database, schema)
    yield desk
    for relay in desk.relays:
        relay.stop(0.1)
    for relay in desk.relays:
        relay.stop(3)


@pytest.fixture(scope="module")
def settings(servers: Servers) -> Settings:
    """Settings for the session's servers; creates the topics."""
    made = Settings(
        database_url=servers.database_url,
        **servers.kafka_settings(),
        secret_key="s" * 32,
        hub_client_secret="hub",
    )
    kafka.make_topics(made)
    return made


@pytest.mark.parametrize("kind", ["in memory", "on the broker"])
def test_every_queued_record_is_acknowledged_after_a_flush(kind: str, settings: Settings) -> None:
    producer: Any = MemoryBroker().producer() if kind == "in memory" else kafka.producer(settings, "jalons-test")
    try:
        key, headers = person().encode(), [("source", b"/services/referrals")]
        futures = [producer.send("jalons.pathways", value=b"{}", key=key, headers=headers) for _ in range(3)]
        producer.flush(timeout=20)
        assert all(future.is_done and future.succeeded() for future in futures)
    finally:
        producer.close(timeout=1)


def test_events_are_sent_in_order_per_subject_and_positions_follow_the_sending_order(desk: Desk) -> None:
    broker, anna, bela = MemoryBroker(), person(), person()
    desk.append(anna, bela, anna)
    desk.relay(broker.producer, batch=2)
    desk.append(bela, anna)
    assert desk.emptied()
    log = desk.log()
    assert [position for position, *_ in log] == [1, 2, 3, 4, 5]
    assert [value for *_, value in log] == [value for _, value, _ in broker.records], (
        "positions follow the order of sending"
    )
    assert [number for _, subject, number, _ in log if subject == anna] == [1, 2, 3]
    assert broker.order(bela) == [value for _, subject, _, value in log if subject == bela]
    assert broker.records[0][2] == {
        "topic": b"jalons.pathways",
        "content-type": b"application/cloudevents+json",
        "source": b"/services/referrals",
        "type": TYPE.encode(),
    }


def test_a_reader_by_position_misses_nothing_when_transactions_commit_late(desk: Desk) -> None:
    broker, subjects = MemoryBroker(), [person() for _ in range(6)]
    desk.relay(broker.producer, batch=7)
    stop, read, late = threading.Event(), [], []

    def follow() -> None:
        while not stop.is_set() or desk.waiting():
            found = desk.log(read[-1][0] if read else 0)
            late.extend(position for position, *_ in found if read and position <= read[-1][0])
            read.extend(found)

    def write(turn: int) -> None:
        for n in range(15):
            desk.append(subjects[turn], wait=0.02 if (n + turn) % 3 == 0 else 0)

    writers = [threading.Thread(target=write, args=(turn,)) for turn in range(6)]
    reader = threading.Thread(target=follow)
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    assert desk.emptied()
    stop.set()
    reader.join(10)
    read += desk.log(read[-1][0])
    assert late == []
    assert [position for position, *_ in read] == list(range(1, 91)), "no event missing, duplicated or late"
    for subject in subjects:
        assert [number for _, who, number, _ in read if who == subject] == list(range(1, 16))


def test_a_partially_acknowledged_batch_is_sent_again_by_a_new_producer(desk: Desk) -> None:
    broker, anna = MemoryBroker(failing={2}), person()
    desk.append(anna, anna, anna)
    desk.relay(broker.producer)
    assert desk.emptied()
    values = [value for *_, value in desk.log()]
    assert broker.order(anna) == [values[0], values[2], *values], "duplicates are allowed, losses are not"
    assert (broker.built, broker.closed) == (2, 1)


def test_an_event_has_no_position_before_the_broker_acknowledged_it(desk: Desk) -> None:
    broker, anna = MemoryBroker(), person()
    broker.away.set()
    desk.append(anna, anna)
    desk.relay(broker.producer)
    eventually(lambda: broker.built >= 2)
    assert desk.waiting() == 2
    assert desk.log() == []
    broker.away.clear()
    assert desk.emptied()
    assert len(broker.order(anna)) == 2


def test_three_thousand_events_go_out_in_full_batches(desk: Desk) -> None:
    broker, subjects = MemoryBroker(), [person() for _ in range(300)]
    for _ in range(10):
        desk.append(*subjects)
    desk.relay(broker.producer)
    assert desk.emptied()
    assert broker.flushes == [500] * 6
    assert [position for position, *_ in desk.log()] == list(range(1, 3001))


def test_a_commit_wakes_the_relay_at_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "POLL_SECONDS", 3600.0)
    broker = MemoryBroker()
    desk.relay(broker.producer)
    for n in range(1, 7):
        desk.append(person())
        eventually(lambda n=n: len(broker.records) == n)


def test_a_standby_relay_takes_over_when_the_first_loses_its_connection(desk: Desk) -> None:
    first, second, anna = MemoryBroker(), MemoryBroker(), person()
    connections: list[Any] = []

    def once() -> Any:
        if connections:
            raise psycopg.OperationalError("its machine is cut off")
        connections.append(desk.connect())
        return connections[0]

    desk.relay(first.producer, once)
    desk.append(anna)
    assert desk.emptied()
    desk.relay(second.producer)
    desk.append(anna)
    assert desk.emptied()
    assert (len(first.records), len(second.records)) == (2, 0)
    with transaction(desk.engine) as conn:
        execute(conn, "SELECT pg_terminate_backend(%s)", (connections[0].info.backend_pid,))
    desk.append(anna)
    assert desk.emptied()
    assert (len(first.records), len(second.records)) == (2, 1)
    assert [position for position, *_ in desk.log()] == [1, 2, 3]


def test_a_relay_reconnects_after_losing_its_connection(desk: Desk) -> None:
    broker, anna = MemoryBroker(), person()
    desk.relay(broker.producer)
    for cut in range(3):
        desk.append(anna)
        assert desk.emptied()
        with transaction(desk.engine) as conn:
            done = execute(
                conn,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s",
                (f"jalons-{desk.schema}-relay",),
            )
            assert done.rowcount == 1, cut
    desk.append(anna)
    assert desk.emptied()
    assert [number for _, _, number, _ in desk.log()] == [1, 2, 3, 4]


def test_on_the_real_broker_each_subject_arrives_in_order_on_its_topic(desk: Desk, settings: Settings) -> None:
    subjects = [person() for _ in range(40)]
    for _ in range(15):
        desk.append(*subjects)
    desk.relay(lambda: kafka.producer(settings, "jalons-test"))
    assert desk.emptied()
    desk.append(subjects[0])
    assert desk.emptied()
    log = desk.log()
    assert [position for position, *_ in log] == list(range(1, 602))
    arrived = _arrived(settings, set(subjects))
    assert {len({partition for partition, *_ in records}) for records in arrived.values()} == {1}
    for subject in subjects:
        assert [value for _, value, _ in arrived[subject]] == [value for _, who, _, value in log if who == subject]
    headers = arrived[subjects[0]][0][2]
    assert (headers["source"], headers["type"]) == (b"/services/referrals", TYPE.encode())


def _arrived(settings: Settings, subjects: set[str]) -> dict[str, list[tuple[int, bytes, dict[str, bytes]]]]:
    """Records of these subjects on `jalons.pathways`, by subject, in partition order."""
    found: dict[str, list[tuple[int, bytes, dict[str, bytes]]]] = {subject: [] for subject in subjects}
    reader: KafkaConsumer = kafka.reader(settings, "jalons-test-reader")
    try:
        partitions = [TopicPartition("jalons.pathways", n) for n in range(12)]
        reader.assign(partitions)
        reader.seek_to_beginning(*partitions)
        ends = reader.end_offsets(partitions)
        until = time.monotonic() + 20
        while time.monotonic() < until and any(reader.position(p) < ends[p] for p in partitions):
            for partition, records in reader.poll(timeout_ms=500).items():
                for record in records:
                    if record.key.decode() in subjects:
                        kept = (partition.partition, record.value, dict(record.headers))
                        found[record.key.decode()].append(kept)
    finally:
        reader.close()
    return found


def test_the_real_producer_is_idempotent_and_waits_for_every_replica(settings: Settings) -> None:
    producer = kafka.producer(settings, "jalons-test")
    try:
        assert producer.config["enable_idempotence"] is True
        assert producer.config["acks"] == -1
        assert producer.config["retries"] > 0
        assert producer.config["max_in_flight_requests_per_connection"] <= 5
        assert producer.config["allow_auto_create_topics"] is False
    finally:
        producer.close(timeout=1)


@pytest.mark.parametrize("option", [{"retries": 0}, {"max_in_flight_requests_per_connection": 6}])
def test_an_option_that_disables_idempotence_is_an_error(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, option: dict[str, int]
) -> None:
    options = kafka.client_options(settings, "jalons-test") | option
    monkeypatch.setattr(kafka, "client_options", lambda *_: options)
    with pytest.raises(KafkaConfigurationError):
        kafka.producer(settings, "jalons-test")


def test_an_unavailable_broker_blocks_only_the_relays_thread(desk: Desk, settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = f"127.0.0.1:{taken.getsockname()[1]}"
    nowhere = settings.model_copy(update={"kafka": closed})
    building, built, anna = threading.Event(), threading.Event(), person()

    def build() -> Producer:
        building.set()
        try:
            return kafka.producer(nowhere, "jalons-test")
        finally:
            built.set()

    relay = desk.relay(build)
    desk.append(anna)
    assert building.wait(5)
    desk.append(anna)
    assert desk.waiting() == 2, "calls are taken on; their events wait"
    relay.stop(0.2)
    assert not built.is_set(), "and the process can end meanwhile"
    assert desk.log() == []


def test_the_relay_connects_when_the_broker_becomes_available(desk: Desk, settings: Settings) -> None:
    anna, tried = person(), []

    def build() -> Producer:
        tried.append(os.getpid())
        if len(tried) < 3:
            raise KafkaTimeoutError("not there yet")
        return kafka.producer(settings, "jalons-test")

    desk.append(anna)
    desk.relay(build)
    assert desk.emptied()
    assert len(tried) == 3


def test_a_broker_that_refuses_degrades_the_relay_and_is_sent_to_once_it_takes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "SILENT_SECONDS", 0.5)
    broker, anna = MemoryBroker(failing=set(range(1, 1_000_000))), person()
    relay = desk.relay(broker.producer)
    desk.append(anna)
    eventually(lambda: "NotSent" in relay.degraded().get("relay", ""))
    broker.failing.clear()
    assert desk.emptied()
    eventually(lambda: relay.degraded() == {})
