"""How fast events are projected: through Faust beside a bare aiokafka loop, both with observation's own `deliver`.

Both read the same topic from its start in a consumer group of their own, and project into a new schema each time.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
import uuid
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

import uvloop
from aiokafka import AIOKafkaConsumer
from sqlalchemy import Engine, column, func, select, table

from bench.figures import HUB, PEER, Figure, in_turns, medians
from bench.streams import BATCH, KEY, append, draft, messages, new_schema, send, settings_of
from jalons.embedded.stack import Servers
from jalons.messaging.consumer import Consumer
from jalons.messaging.deliver import Deliver
from jalons.messaging.items import Record
from jalons.messaging.kafka import make_topics
from jalons.messaging.outbox import Draft, Outbox
from jalons.privacy.aliases import alias
from jalons.privacy.keys import Keys
from jalons.process.parts import Parts
from jalons.process.settings import Settings
from schemas.topics import PATHWAYS
from services.observation.pathways.apply import Project

OPEN_REFERRALS = 10
_TIMELINE = table("timeline", column("position"))
_numbers = itertools.count(1)


def measure(servers: Servers, persons: int, rounds: int) -> list[Figure]:
    """Events a second, medians of the rounds."""
    settings = settings_of(servers)
    make_topics(settings)
    drafts = _drafts(persons)
    with new_schema(servers, "bench_log") as pool:
        append(pool, drafts)
        send(settings, messages(pool, len(drafts)))
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())  # as a service does; Faust's threads make loops too
    runs = {
        HUB: partial(_round, servers, settings, len(drafts), _through_faust),
        PEER: partial(_round, servers, settings, len(drafts), _bare),
    }
    return [Figure("projection rate", "events/s", medians(in_turns(runs, rounds)))]


def _drafts(persons: int) -> list[Draft]:
    """Each person is registered, then referrals are sent and accepted, all of which stay open: 21 events a person.

    Persons take turns, as they do when many partners call.
    """
    refs = [str(uuid.uuid4()) for _ in range(persons)]
    drafts = [draft("beneficiary.registered", ref) for ref in refs]
    for _ in range(OPEN_REFERRALS):
        referrals = [(ref, str(uuid.uuid4())) for ref in refs]
        drafts += [draft("referral.sent", ref, referral_id=each) for ref, each in referrals]
        drafts += [draft("referral.accepted", ref, referral_id=each) for ref, each in referrals]
    return drafts


class Timed:
    """`deliver` with a clock: it runs from the first batch's start to the end of the batch that completes the total."""

    def __init__(self, deliver: Deliver, total: int) -> None:
        self.deliver = deliver
        self.done = threading.Event()
        self._left = total
        self._began = self._ended = 0.0

    def __call__(self, records: Sequence[Record]) -> bool:
        """Deliver a batch."""
        self._began = self._began or time.monotonic()
        delivered = self.deliver(records)
        self._left -= len(records)
        if self._left <= 0:
            self._ended = time.monotonic()
            self.done.set()
        return delivered

    @property
    def seconds(self) -> float:
        """Elapsed time; only once it is done."""
        return self._ended - self._began


Loop = Callable[[Settings, str, Timed], Coroutine[Any, Any, None]]


def _round(servers: Servers, settings: Settings, events: int, loop: Loop) -> float:
    """Project the whole topic. Raises RuntimeError if an event was not applied."""
    name = f"bench_{next(_numbers)}"
    with new_schema(servers, name) as pool:
        timed = Timed(_deliver(name, pool), events)
        asyncio.run(loop(settings, name, timed))
        with pool.connect() as conn:
            applied = conn.execute(select(func.count()).select_from(_TIMELINE)).scalar_one()
    if applied != events:
        raise RuntimeError(f"{applied} of {events} events were applied")
    return events / timed.seconds


def _deliver(name: str, pool: Engine) -> Deliver:
    """Observation's delivery with its real projection, keys at hand."""
    outbox = Outbox("observation")
    keys = Keys(lambda subjects: dict.fromkeys(subjects, KEY))
    project = Project(outbox, partial(alias, b"bench"), keys.forget)
    logs: dict[str, Any] = {"/services/referrals": None}  # never read: the topic has no gap
    return Deliver(name, pool, project, outbox, keys, logs)


async def _through_faust(settings: Settings, group: str, timed: Timed) -> None:
    consumer = Consumer(settings, group, (PATHWAYS,), timed)
    timed.deliver.observe = consumer.observe
    running = asyncio.create_task(consumer.run(Parts("bench").heartbeat("consumer")))
    await asyncio.to_thread(timed.done.wait, 300)
    consumer.stop()
    await running


async def _bare(settings: Settings, group: str, timed: Timed) -> None:
    consumer = AIOKafkaConsumer(
        PATHWAYS.name,
        bootstrap_servers=settings.kafka,
        security_protocol=settings.kafka_security,
        sasl_mechanism=settings.kafka_sasl_mechanism,
        sasl_plain_username=settings.kafka_username,
        sasl_plain_password=settings.kafka_password.get_secret_value() if settings.kafka_password else None,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        while not timed.done.is_set():
            found = await consumer.getmany(timeout_ms=1000, max_records=BATCH)
            records = [_record(message) for batch in found.values() for message in batch]
            if records:
                await asyncio.to_thread(timed, records)
                await consumer.commit()
    finally:
        await consumer.stop()


def _record(message: Any) -> Record:
    source = dict(message.headers).get("source", b"").decode()
    return Record(message.topic, message.partition, message.offset, message.key, message.value, source)
