"""Sends a service's outbox to Kafka in order, and only then gives each event its position; one relay per service."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from kafka.errors import KafkaError

from jalons import clock
from jalons.messaging import relay_rows
from jalons.messaging.outbox import channel
from jalons.messaging.relay_rows import Row
from jalons.postgres import Direct, await_notice, listen
from jalons.process import metrics
from jalons.process.parts import Heartbeat, Part
from schemas.envelope import CONTENT_TYPE

log = logging.getLogger(__name__)

BATCH = 500
POLL_SECONDS = 5.0
"""NOTIFY wakes the relay; a notification that is lost delays its events by this much at most."""
_FLUSH_SECONDS = 40


class Producer(Protocol):
    """The methods of kafka-python's producer that the relay uses."""

    def send(self, topic: str, value: bytes, key: bytes, headers: list[tuple[str, bytes]]) -> Any:
        """Queue a record. The future fails if the broker refuses it."""

    def flush(self, timeout: float | None = None) -> None:
        """Wait until every queued record is acknowledged or has failed."""

    def close(self, timeout: float | None = None) -> None:
        """Close the connections."""


class NotSent(Exception):
    """A batch was not acknowledged completely. It is sent again, whole, by a new producer."""


class Relay:
    """Empties a service's outbox.

    connect: opens the direct connection for the lock, LISTEN and marking. Losing it stops sending at once, since
    another relay may then hold the lock. producer: builds one, and may block while the broker is away. A relay that is
    killed between sending and marking sends the batch twice; readers drop what they have seen.
    """

    def __init__(
        self, service: str, connect: Callable[[], Direct], producer: Callable[[], Producer], *, batch: int = BATCH
    ) -> None:
        self._service = service
        self._connect = connect
        self._make_producer = producer
        self._batch = batch
        self._producer: Producer | None = None
        self._measured = float("-inf")
        self._refused: str | None = None

    @property
    def part(self) -> Part:
        """The relay as a part of a process."""
        return Part("relay", self._run, passing=(KafkaError, NotSent))

    def _run(self, heartbeat: Heartbeat) -> None:
        try:
            with self._connect() as conn:
                while not relay_rows.try_relay_lock(conn):  # another relay may hold it for years
                    heartbeat.sleep(1.0)
                    if heartbeat.stopping.is_set():
                        return
                listen(conn, channel(self._service))
                self._send_all(conn, heartbeat)
        finally:
            self._drop_producer()

    def _send_all(self, conn: Direct, heartbeat: Heartbeat) -> None:
        """Send batch after batch; wait for a notification when nothing is left."""
        position = relay_rows.last_position(conn)
        while not heartbeat.stopping.is_set():
            self._measure(conn)
            rows = relay_rows.unsent(conn, self._batch)
            if rows:
                self._send(rows)
                if relay_rows.mark(conn, rows, position) != len(rows):
                    raise NotSent("another relay has marked events of this batch")
                position += len(rows)
            heartbeat.beat(POLL_SECONDS)
            if len(rows) < self._batch:
                await_notice(conn, POLL_SECONDS, heartbeat.stopping)

    def refused(self) -> list[str]:
        """Why the broker did not take the last batch, as a reason to be degraded; empty if it did."""
        return [self._refused] if self._refused else []

    def _send(self, rows: Sequence[Row]) -> None:
        try:
            if self._producer is None:
                self._producer = self._make_producer()
            send(self._producer, self._service, rows)
        except Exception as error:
            said = str(error) if isinstance(error, NotSent) else type(error).__name__
            self._refuse(f"Kafka does not take events ({said}); they are kept and wait")
            raise
        self._refuse(None)
        metrics.EVENTS_PUBLISHED.labels(self._service).inc(len(rows))

    def _refuse(self, why: str | None) -> None:
        self._refused = why
        metrics.SENDING_REFUSED.labels(self._service).set(why is not None)

    def _measure(self, conn: Direct) -> None:
        """Set the outbox's metrics every few seconds, also while the broker is away and nothing can be sent."""
        if time.monotonic() < self._measured + POLL_SECONDS:
            return
        self._measured = time.monotonic()
        waiting, oldest = relay_rows.waiting(conn, clock.now())
        metrics.OUTBOX_WAITING.labels(self._service).set(waiting)
        metrics.OUTBOX_OLDEST.labels(self._service).set(oldest)

    def _drop_producer(self) -> None:
        if self._producer is not None:
            producer, self._producer = self._producer, None
            try:
                producer.close(timeout=1)
            except KafkaError:
                log.warning("the producer did not close in time")


def send(producer: Producer, service: str, rows: Sequence[Row]) -> None:
    """Send a batch in order and wait until the broker has acknowledged every record. Raises NotSent, KafkaError."""
    common = [("content-type", CONTENT_TYPE.encode()), ("source", f"/services/{service}".encode())]
    futures = [
        producer.send(
            row.topic, value=bytes(row.value), key=row.subject.encode(), headers=[*common, ("type", row.type.encode())]
        )
        for row in rows
    ]
    producer.flush(timeout=_FLUSH_SECONDS)
    failed = [future for future in futures if not (future.is_done and future.succeeded())]
    if failed:
        raise NotSent(type(failed[0].exception).__name__ if failed[0].exception else "no acknowledgement")
