"""The relay sends the outbox in order and loses nothing when its producer, broker or connection fails."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaConfigurationError, KafkaTimeoutError
from sqlalchemy import Engine

from jalons.clock import new_id, now
from jalons.database import transaction
from jalons.embedded.stack import Servers
from jalons.messaging import kafka
from jalons.messaging import relay as relay_module
from jalons.messaging.outbox import Cause, Draft, Outbox
from jalons.messaging.relay import Producer, Relay
from jalons.postgres import direct
from jalons.process import parts
from jalons.process.parts import Parts
from jalons.process.settings import Settings
from tests.support.events import MemorySource, person
from tests.support.network import eventually
from tests.support.parts import at_work
from tests.support.sql import execute, one

TYPE = "jalons.referral.received.v1"


@dataclass
class Future:
    """Fake of the future that kafka-python's `send` returns."""

    done: bool = False
    error: Exception | None = None

    @property
    def is_done(self) -> bool:
        return self.done

    def succeeded(self) -> bool:
        return self.done and self.error is None


@dataclass
class MemoryBroker:
    """A fake broker. failing: 1-based numbers of sent records that are answered with an error."""

    records: list[tuple[str, bytes, dict[str, bytes]]] = field(default_factory=list)
    failing: set[int] = field(default_factory=set)
    flushes: list[int] = field(default_factory=list)
    sent: int = 0
    built: int = 0
    closed: int = 0
    away: threading.Event = field(default_factory=threading.Event)

    def producer(self) -> MemoryProducer:
        """A new producer."""
        self.built += 1
        return MemoryProducer(self)

    def order(self, subject: str) -> list[bytes]:
        """A subject's records in the order received."""
        return [value for key, value, _ in self.records if key == subject]


class MemoryProducer:
    """Fake of kafka-python's producer."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self._queued: list[tuple[Future, tuple[str, bytes, dict[str, bytes]]]] = []

    def send(self, topic: str, value: bytes, key: bytes, headers: list[tuple[str, bytes]]) -> Future:
        future = Future()
        self._queued.append((future, (key.decode(), value, dict(headers) | {"topic": topic.encode()})))
        return future

    def flush(self, timeout: float | None = None) -> None:
        assert timeout, "a flush without a timeout could block the relay forever"
        if self._broker.away.is_set():
            raise KafkaTimeoutError("away")
        self._broker.flushes.append(len(self._queued))
        for future, record in self._queued:
            self._broker.sent += 1
            future.done = True
            if self._broker.sent in self._broker.failing:
                future.error = KafkaTimeoutError("not taken")
            else:
                self._broker.records.append(record)
        self._queued = []

    def close(self, timeout: float | None = None) -> None:
        self._broker.closed += 1


@dataclass
class Desk:
    """A service's outbox, and relays beside it."""

    servers: Servers
    engine: Engine
    schema: str
    outbox: Outbox = field(default_factory=lambda: Outbox("referrals"))
    relays: list[Parts] = field(default_factory=list)
    source: MemorySource = field(default_factory=MemorySource)

    def connect(self) -> psycopg.Connection[Any]:
        return direct(self.servers.database_url, self.schema, "relay")

    def relay(self, producer: Callable[[], Producer], connect: Callable[[], Any] | None = None, **more: Any) -> Parts:
        """A relay, started."""
        relay = at_work(Relay("referrals", connect or self.connect, producer, **more).part)
        self.relays.append(relay)
        return relay

    def append(self, *subjects: str, wait: float = 0) -> None:
        """Append an event of each subject in one transaction. wait: seconds before the transaction commits."""
        drafts = []
        for subject in subjects:
            said = self.source.event(subject, TYPE)
            drafts.append(Draft(subject, said.data, said.time, said.partner, Cause(new_id(), new_id())))
        with transaction(self.engine) as conn:
            for subject in sorted(set(subjects)):
                execute(conn, "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (subject,))
            self.outbox.append(conn, drafts, now())
            time.sleep(wait)

    def waiting(self) -> int:
        """Number of events without a position."""
        with transaction(self.engine) as conn:
            return int(one(conn, "SELECT count(*) AS n FROM events WHERE position IS NULL").n)

    def log(self, after: int = 0) -> list[tuple[int, str, int, bytes]]:
        """Position, subject, sequence and value, as a reader of `after=` gets them."""
        with transaction(self.engine) as conn:
            rows = execute(
                conn,
                "SELECT position, subject, sequence, value FROM events WHERE position > %s ORDER BY position",
                (after,),
            ).fetchall()
        return [(row.position, row.subject, row.sequence, bytes(row.value)) for row in rows]

    def emptied(self) -> bool:
        """Wait until all events are sent."""
        return bool(eventually(lambda: self.waiting() == 0))


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
        kafka=servers.kafka_address,
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
