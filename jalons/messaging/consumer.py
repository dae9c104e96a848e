"""Faust reads, a bounded queue holds back, one coroutine delivers and only then acknowledges, in the order read."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import faust
from faust.types import TP

from jalons.messaging.fetching import fetch
from jalons.messaging.fuse import Fuse, Partition
from jalons.messaging.items import Item, Record
from jalons.messaging.kafka import reachable
from jalons.process import metrics
from jalons.process.settings import Settings
from schemas.topics import MAX_MESSAGE_BYTES, Topic

log = logging.getLogger(__name__)

MOST = 500
BUSY = 16
BUSY_WAIT_SECONDS = 0.02
_BACKOFF_MOST = 10.0


class Queue:
    """Bounded, so that a slow database holds Kafka back; drained as it fills, so that a lone event never waits."""

    def __init__(self, size: int = 2 * MOST) -> None:
        self._queue: asyncio.Queue[Any] = asyncio.Queue(size)
        self._last = 0

    async def put(self, event: Any) -> None:
        """Waits while the queue is full."""
        await self._queue.put(event)

    async def batch(self, most: int = MOST) -> list[Any]:
        """What is there, at least one; 20 ms more are waited only when the last batch held 16 or more."""
        batch = [await self._queue.get()]
        self._take(batch, most)
        if self._last >= BUSY and len(batch) < most:
            await asyncio.sleep(BUSY_WAIT_SECONDS)
            self._take(batch, most)
        self._last = len(batch)
        return batch

    def _take(self, batch: list[Any], most: int) -> None:
        while len(batch) < most and not self._queue.empty():
            batch.append(self._queue.get_nowait())

    def clear(self) -> None:
        """Forget what an App that is gone had read; unacknowledged, it is read again."""
        while not self._queue.empty():
            self._queue.get_nowait()


def build(
    settings: Settings, service: str, topics: Sequence[Topic], queue: Queue, pace_seconds: float = 0.0
) -> faust.App:
    """A new App: one that stopped never starts again. One agent over all its topics, so that order is Kafka's.

    With `JALONS_INSTANCE` the worker is a static member of its group, else a dynamic one. pace_seconds: events are
    taken from Kafka at most this often.
    """
    security = _credentials(settings)
    app = faust.App(
        f"jalons-{service}",
        broker=[f"kafka://{address}" for address in settings.kafka.split(",")],
        broker_credentials=security,
        broker_client_id=f"jalons-{service}",
        consumer_group_instance_id=f"{service}-{settings.instance}" if settings.instance else None,
        broker_session_timeout=10.0,
        broker_heartbeat_interval=3.0,
        broker_request_timeout=20.0,
        broker_commit_interval=2.0,
        broker_max_poll_records=MOST,
        consumer_max_fetch_size=2 * MAX_MESSAGE_BYTES,
        consumer_auto_offset_reset="earliest",
        stream_wait_empty=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
        store="memory://",
        key_serializer="raw",
        value_serializer="raw",
    )
    fetch(app, pace_seconds)

    @app.agent(  # type: ignore[untyped-decorator]
        app.topic(*(topic.name for topic in topics), value_serializer="raw", key_serializer="raw"), concurrency=1
    )
    async def follow(records: Any) -> None:
        async for event in records.noack().events():
            await queue.put(event)

    return app


def _credentials(settings: Settings) -> Any:
    if settings.kafka_security == "PLAINTEXT":
        return None
    context = None
    if settings.kafka_security.endswith("SSL"):
        context = ssl.create_default_context(cafile=str(settings.kafka_ca_file) if settings.kafka_ca_file else None)
    if settings.kafka_security == "SSL":
        return faust.SSLCredentials(context)
    password = settings.kafka_password
    return faust.SASLCredentials(
        username=settings.kafka_username,
        password=password.get_secret_value() if password else None,
        mechanism=settings.kafka_sasl_mechanism,
        ssl_context=context,
    )


@dataclass
class State:
    """What the watchdog and the health page ask of a consumer."""

    delivered: dict[Partition, int]
    assigned: frozenset[Partition] = frozenset()
    waiting_for_broker: bool = True


class Consumer:
    """Keeps an App running and its queue drained until it is asked to stop.

    deliver: blocking; True when a batch is applied or kept. Runs in a thread of its own, one batch at a time.
    pace_seconds: events are taken from Kafka at most this often, so that a stream of them shares fetches and batches;
    a lone one never waits.
    """

    def __init__(
        self,
        settings: Settings,
        service: str,
        topics: Sequence[Topic],
        deliver: Callable[[Sequence[Record]], bool],
        pace_seconds: float = 0.0,
    ) -> None:
        self._settings = settings
        self._service = service
        self._topics = topics
        self._deliver = deliver
        self._pace = pace_seconds
        self._queue = Queue()
        self._fuse = Fuse()
        self._app: faust.App | None = None
        self._stopping = asyncio.Event()
        self._blown: set[Partition] = set()
        self.state = State({})

    async def run(self) -> None:
        """Until stop(); raises only if the drain itself fails, and then the process must end."""
        drain = asyncio.create_task(self._drain(), name=f"drain-{self._service}")
        read = asyncio.create_task(self._supervise(), name=f"faust-{self._service}")
        done, _ = await asyncio.wait({drain, read}, return_when=asyncio.FIRST_COMPLETED)
        self._stopping.set()
        drain.cancel()
        await asyncio.wait({read}, timeout=5)
        for task in done:
            task.result()

    def stop(self) -> None:
        """Ask for the end."""
        self._stopping.set()

    def observe(self, item: Item, outcome: str) -> None:
        """Feed the fuse with what became of a record; called from the delivering thread."""
        place = item.place
        if place.topic is None or place.partition is None:
            return
        partition = (place.topic, place.partition)
        if self._fuse.note(partition, bad=outcome in {"set_aside", "parked"}):
            log.error(
                "fuse: partition %s is paused, nearly nothing on it can be applied; see the dead letters", partition
            )
            metrics.FUSE_OPEN.labels(self._service, *map(str, partition)).set(1)
            self._blown.add(partition)

    @property
    def fused(self) -> frozenset[Partition]:
        """The partitions that are paused."""
        return frozenset(self._fuse.tripped)

    async def _drain(self) -> None:
        while True:
            events = await self._queue.batch()
            wanted = [event for event in events if _partition(event) not in self._fuse.tripped]
            if wanted and not await asyncio.to_thread(self._deliver, [_record(event) for event in wanted]):
                return
            self._acknowledge(wanted)
            while self._blown:
                self._pause(self._blown.pop())

    def _acknowledge(self, events: Sequence[Any]) -> None:
        for event in events:
            event.ack()
            partition = _partition(event)
            self.state.delivered[partition] = event.message.offset

    def _pause(self, partition: Partition) -> None:
        if self._app is not None:
            self._app.consumer.pause_partitions({TP(*partition)})

    async def _supervise(self) -> None:
        """A new App for each attempt, with backoff; while the broker is away none is built."""
        backoff = 0.5
        while not self._stopping.is_set():
            if not await asyncio.to_thread(reachable, self._settings):
                self.state.waiting_for_broker = True
                await self._pause_for(1.0)
                continue
            started = asyncio.get_running_loop().time()
            await self._run_once()
            if asyncio.get_running_loop().time() - started > 60:
                backoff = 0.5
            await self._pause_for(backoff)
            backoff = min(backoff * 2, _BACKOFF_MOST)

    async def _run_once(self) -> None:
        self._queue.clear()
        app = self._app = build(self._settings, self._service, self._topics, self._queue, self._pace)
        watch = asyncio.create_task(self._watch(app))
        try:
            await app.start()
            await _first(app.wait(), self._stopping.wait())
        except Exception as error:  # noqa: BLE001 - whatever ends an App, a new one is built
            log.warning("the consumer stopped: %s; starting it again", type(error).__name__)
        finally:
            watch.cancel()
            self.state.assigned = frozenset()
            await self._close(app)

    async def _watch(self, app: faust.App) -> None:
        """Note what is assigned."""
        while True:
            await asyncio.sleep(1.0)
            if app.started and not app.crashed:
                self.state.assigned = frozenset((tp.topic, tp.partition) for tp in app.consumer.assignment())
                self.state.waiting_for_broker = False

    async def _close(self, app: faust.App) -> None:
        try:
            await asyncio.wait_for(app.stop(), timeout=5)
        except Exception as error:  # noqa: BLE001 - an App that cannot stop is left behind
            log.warning("the consumer did not stop cleanly: %s", type(error).__name__)

    async def _pause_for(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return


async def _first(*waits: Any) -> None:
    """Wait for the first of several, and leave none behind."""
    tasks = {asyncio.ensure_future(each) for each in waits}
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _partition(event: Any) -> Partition:
    return event.message.topic, event.message.partition


def _record(event: Any) -> Record:
    message = event.message
    headers = dict(message.headers or ())
    source = headers.get("source")
    return Record(
        message.topic,
        message.partition,
        message.offset,
        message.key,
        message.value,
        source.decode("utf-8", "replace") if source else None,
    )
