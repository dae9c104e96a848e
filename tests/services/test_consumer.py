"""Faust 0.15.3 against real Kafka: each trap that was measured has the shape that holds, and a test of it."""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient

from jalons.embedded.stack import Servers
from jalons.messaging import consumer
from jalons.messaging.consumer import BUSY, MOST, Consumer, Queue, build
from jalons.messaging.fuse import CONSECUTIVE, WINDOW, Fuse
from jalons.messaging.items import Item, Place, Record
from jalons.messaging.watchdog import Stall
from jalons.process.parts import Parts
from jalons.process.settings import Settings
from schemas.topics import MAX_MESSAGE_BYTES, Topic
from tests.support.broker import login
from tests.support.network import eventually


@dataclass
class Sink:
    """A delivery that only notes what it got; `answer` may block, refuse or fail."""

    answer: Callable[[Sequence[Record]], bool] = lambda _records: True
    got: list[Record] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)

    def __call__(self, records: Sequence[Record]) -> bool:
        done = self.answer(records)
        if done:
            self.got += records
            self.batches.append(len(records))
        return done


@pytest.fixture
def topic(servers: Servers) -> Topic:
    """A topic of its own with two partitions."""
    name = f"t-{uuid.uuid4().hex[:10]}"
    admin = KafkaAdminClient(**login(servers))
    configuration = {"max.message.bytes": str(MAX_MESSAGE_BYTES)}
    admin.create_topics({name: {"num_partitions": 2, "replication_factor": 1, "configs": configuration}})
    admin.close()
    return Topic(name, (), (), "any", 2, 1)


@pytest.fixture
def settings(servers: Servers) -> Settings:
    return _settings(servers)


def _settings(servers: Servers, **more: Any) -> Settings:
    return Settings(
        database_url=servers.database_url,
        **servers.kafka_settings(),
        secret_key="thirty-two characters of secret.",
        hub_client_secret="none",
        **more,
    )


@pytest.fixture
def producer(servers: Servers) -> Any:
    made = KafkaProducer(**login(servers), max_request_size=MAX_MESSAGE_BYTES)
    yield made
    made.close()


@asynccontextmanager
async def _consuming(settings: Settings, topic: Topic, sink: Sink) -> Any:
    """A consumer at work, with its group; stopped at the end."""
    consumer = Consumer(settings, topic.name, [topic], sink)
    task = asyncio.create_task(consumer.run(Parts("tests").heartbeat("consumer")))
    try:
        yield consumer, task
    finally:
        consumer.stop()
        await asyncio.wait({task}, timeout=15)


async def _until(what: Callable[[], Any], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "not in time"
        await asyncio.sleep(0.01)


def _committed(servers: Servers, topic: Topic) -> int:
    client = KafkaConsumer(**login(servers), group_id=f"jalons-{topic.name}")
    try:
        return sum(client.committed(TopicPartition(topic.name, n)) or 0 for n in range(topic.partitions))
    finally:
        client.close()


def test_a_lone_event_is_delivered_at_once_and_a_burst_in_batches(
    settings: Settings, topic: Topic, producer: KafkaProducer
) -> None:
    sink = Sink()

    async def story() -> None:
        async with _consuming(settings, topic, sink):
            producer.send(topic.name, key=b"warm", value=b"up", partition=0).get(10)
            await _until(lambda: len(sink.got) == 1)
            for number in range(2_000):
                producer.send(topic.name, key=b"k", value=str(number).encode(), partition=0)
            producer.flush()
            await _until(lambda: len(sink.got) == 2_001)

    asyncio.run(story())
    assert [record.value for record in sink.got[1:]] == [str(number).encode() for number in range(2_000)]
    assert sink.batches[0] == 1
    assert max(sink.batches) <= MOST
    assert len(sink.batches) < 1_000, "a burst shares its transactions, however slowly a busy machine sends it"


def test_what_is_not_delivered_is_not_acknowledged_and_comes_again(
    settings: Settings, servers: Servers, topic: Topic, producer: KafkaProducer
) -> None:
    """`deliver` answering False means stopping: nothing of its batch may be committed."""
    for number in range(10):
        producer.send(topic.name, key=b"k", value=str(number).encode(), partition=0)
    producer.flush()
    stopping = Sink(answer=lambda _records: False)

    async def first() -> None:
        async with _consuming(settings, topic, stopping) as (_consumer, task):
            await asyncio.wait({task}, timeout=20)

    asyncio.run(first())
    assert _committed(servers, topic) == 0
    sink = Sink()

    async def second() -> None:
        async with _consuming(settings, topic, sink):
            await _until(lambda: len(sink.got) == 10)
            await asyncio.to_thread(eventually, lambda: _committed(servers, topic) == 10)

    asyncio.run(second())
    assert [record.value for record in sink.got] == [str(number).encode() for number in range(10)]


def test_a_slow_delivery_holds_kafka_back_in_bounded_memory(
    settings: Settings, topic: Topic, producer: KafkaProducer
) -> None:
    go_on = threading.Event()
    sink = Sink(answer=lambda _records: go_on.wait(30))
    for number in range(6_000):
        producer.send(topic.name, key=b"k", value=str(number).encode(), partition=0)
    producer.flush()

    async def story() -> None:
        async with _consuming(settings, topic, sink) as (consumer, _task):
            await _until(consumer._queue._queue.full)
            await asyncio.sleep(0.5)
            assert consumer._queue._queue.qsize() <= 2 * MOST
            go_on.set()
            await _until(lambda: len(sink.got) == 6_000, 30)

    asyncio.run(story())
    assert [record.value for record in sink.got] == [str(number).encode() for number in range(6_000)]


def test_a_record_of_two_megabytes_is_read(settings: Settings, topic: Topic, producer: KafkaProducer) -> None:
    sink = Sink()

    async def story() -> None:
        async with _consuming(settings, topic, sink):
            producer.send(topic.name, key=b"k", value=b"x" * 2_000_000).get(10)
            producer.send(topic.name, key=b"k", value=b"after").get(10)
            await _until(lambda: len(sink.got) == 2)

    asyncio.run(story())
    assert sorted(len(record.value or b"") for record in sink.got) == [5, 2_000_000]


def test_a_fuse_pauses_its_partition_and_leaves_the_others_running(
    settings: Settings, servers: Servers, topic: Topic, producer: KafkaProducer
) -> None:
    sink = Sink()

    def put(partition: int, number: int) -> None:
        for _ in range(number):
            producer.send(topic.name, key=b"k", value=b"v", partition=partition)
        producer.flush()

    async def story() -> None:
        async with _consuming(settings, topic, sink) as (consumer, _task):

            def judge(records: Sequence[Record]) -> bool:
                for record in records:
                    bad = record.partition == 1
                    item = Item(Place(record.topic, record.partition, record.offset), record.value)
                    consumer.observe(item, "set_aside" if bad else "applied")
                return True

            sink.answer = judge
            put(1, CONSECUTIVE)
            await _until(lambda: consumer.fused == {(topic.name, 1)})
            kept = sum(record.partition == 1 for record in sink.got)
            put(1, 50)
            put(0, 300)
            await _until(lambda: sum(record.partition == 0 for record in sink.got) == 300)
            assert sum(record.partition == 1 for record in sink.got) == kept, "nothing more of it is consumed"
            await asyncio.sleep(3)
            assert await asyncio.to_thread(_committed, servers, topic) <= kept + 300

    asyncio.run(story())


def _empty(folder: Path) -> None:
    assert list(folder.iterdir()) == [], "Faust would make jalons-SERVICE-data here"


def test_no_folder_is_left_in_the_directory_it_is_started_in(
    settings: Settings, topic: Topic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started_in, temporary = tmp_path / "started-in", tmp_path / "temporary"
    started_in.mkdir()
    temporary.mkdir()
    monkeypatch.chdir(started_in)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))

    async def story() -> None:
        async with _consuming(settings, topic, Sink()) as (consumer, _task):
            await _until(lambda: consumer.state.assigned)
            await asyncio.to_thread(_empty, started_in)

    asyncio.run(story())
    _empty(started_in)
    _empty(temporary)


def test_no_port_is_opened_by_an_app(settings: Settings, topic: Topic) -> None:
    sink = Sink()

    async def story() -> set[int]:
        async with _consuming(settings, topic, sink) as (consumer, _task):
            await _until(lambda: consumer.state.assigned)
            connections = psutil.Process().net_connections("inet")
            return {c.laddr.port for c in connections if c.status == psutil.CONN_LISTEN}

    assert asyncio.run(story()) == set(), "Faust's web server would listen on 6066"


def test_each_attempt_is_a_new_app_with_the_settings_that_hold(settings: Settings, topic: Topic) -> None:
    async def two() -> tuple[Any, Any]:
        return await _built(settings, topic), await _built(settings, topic)

    one, other = asyncio.run(two())
    assert one is not other
    assert (one.conf.broker_session_timeout, one.conf.broker_heartbeat_interval) == (10.0, 3.0)
    assert one.conf.stream_wait_empty is False, "True hung 85 s behind a dead database"
    assert one.conf.topic_disable_leader is True
    assert one.conf.topic_allow_declare is False
    assert one.conf.consumer_max_fetch_size >= MAX_MESSAGE_BYTES
    assert one.conf.consumer_group_instance_id is None, "without JALONS_INSTANCE a dynamic member"
    named = asyncio.run(_built(settings.model_copy(update={"instance": "a"}), topic))
    assert named.conf.consumer_group_instance_id == "observation-a"


async def _built(settings: Settings, topic: Topic) -> Any:
    return build(settings, "observation", [topic], Queue(), Path("nowhere"))


def test_a_second_worker_of_the_same_static_id_refuses_to_start(servers: Servers, tmp_path: Any) -> None:
    """Two of one id would fight silently."""
    import subprocess
    import sys

    program = (
        "import time; from jalons.process.parts import Parts; from jalons.process.settings import Settings;"
        "from jalons.process.wiring import instance_lock; parts = Parts('observation');"
        "parts.add(instance_lock(Settings(), 'observation')); parts.start(); time.sleep(4)"
    )
    settings = _settings(servers, instance="a")
    environment = os.environ | {
        "JALONS_DATABASE_URL": settings.database_url,
        **{f"JALONS_{name.upper()}": value for name, value in servers.kafka_settings().items()},
        "JALONS_SECRET_KEY": settings.secret_key.get_secret_value(),
        "JALONS_HUB_CLIENT_SECRET": "none",
        "JALONS_INSTANCE": "a",
    }
    first = subprocess.Popen([sys.executable, "-c", program], env=environment)
    time.sleep(1.5)
    second = subprocess.Popen([sys.executable, "-c", program], env=environment)
    assert second.wait(20) == 78
    assert first.wait(20) == 0


def test_the_queue_waits_for_more_only_when_it_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        queue = Queue()
        monkeypatch.setattr(consumer, "BUSY_WAIT_SECONDS", 3600)
        await queue.put(1)
        assert await asyncio.wait_for(queue.batch(), 30) == [1]
        for number in range(BUSY):
            await queue.put(number)
        assert len(await asyncio.wait_for(queue.batch(), 30)) == BUSY
        monkeypatch.setattr(consumer, "BUSY_WAIT_SECONDS", 1)
        await queue.put("first")
        asyncio.get_running_loop().call_soon(queue._queue.put_nowait, "second")
        assert await queue.batch() == ["first", "second"], "the last batch was busy: more is waited for"

    asyncio.run(story())


def test_a_fuse_trips_at_two_hundred_in_a_row_or_half_of_a_thousand() -> None:
    fuse = Fuse()
    assert not any(fuse.note(("t", 0), bad=True) for _ in range(CONSECUTIVE - 1))
    assert not fuse.note(("t", 0), bad=False), "a good one starts the count anew"
    assert [fuse.note(("t", 0), bad=True) for _ in range(CONSECUTIVE)][-1]
    mixed = [fuse.note(("t", 1), bad=bool(number % 2)) for number in range(WINDOW)]
    assert mixed.index(True) == WINDOW - 1
    assert fuse.tripped == {("t", 0), ("t", 1)}


def test_a_partition_that_stands_still_before_waiting_records_is_told() -> None:
    stall = Stall(60)
    here = ("t", 0)
    assert stall.check({here: 10}, {here: 9}, 0, excused=False) is None, "nothing waits"
    assert stall.check({here: 12}, {here: 9}, 10, excused=False) is None
    assert stall.check({here: 12}, {here: 10}, 65, excused=False) is None, "it moved"
    assert stall.check({here: 12}, {here: 10}, 100, excused=True) is None, "a dependency is known to be away"
    assert stall.check({here: 12}, {here: 10}, 130, excused=False) is None, "that time did not count"
    assert stall.check({here: 12}, {here: 10}, 191, excused=False) == here
