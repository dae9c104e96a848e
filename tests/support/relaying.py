"""A service's outbox with relays beside it, and a fake broker with its producer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg
from kafka.errors import KafkaTimeoutError
from sqlalchemy import Engine

from jalons.clock import new_id, now
from jalons.database import transaction
from jalons.embedded.stack import Servers
from jalons.messaging.outbox import Cause, Draft, Outbox
from jalons.messaging.relay import Producer, Relay
from jalons.postgres import direct
from jalons.process.parts import Parts
from tests.support.events import MemorySource
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
    def exception(self) -> Exception | None:
        return self.error

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
