"""Sends a service's log to Kafka in order, and only then gives each event its position; one relay per service."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import psycopg
from kafka.errors import KafkaError

from jalons import clock
from jalons.database import await_notice
from jalons.messaging.outbox import channel
from jalons.process import metrics
from schemas.envelope import CONTENT_TYPE

log = logging.getLogger(__name__)

BATCH = 500
PACE_SECONDS, PACE_MOST_SECONDS = 0.01, 0.12
"""A batch begins at least so long after the last one began, for each event that was in that one, up to the second
figure: what an event costs here and at its readers falls as their number rises; one that comes alone never waits."""
POLL_SECONDS = 5.0
"""A fallback: NOTIFY wakes the relay; a wake-up that is lost costs at most this long."""
_BACKOFF_LEAST, _BACKOFF_MOST = 0.2, 5.0

Connection = psycopg.Connection[tuple[Any, ...]]
Row = tuple[int, str, str, str, bytes]


class Producer(Protocol):
    """What the relay needs of kafka-python's producer."""

    def send(self, topic: str, value: bytes, key: bytes, headers: list[tuple[str, bytes]]) -> Any:
        """Queue a record; the future fails if the broker does not take it."""

    def flush(self, timeout: float | None = None) -> None:
        """Wait until all that was queued is answered."""

    def close(self, timeout: float | None = None) -> None:
        """Give up what is open."""


class NotSent(Exception):
    """A batch was not wholly acknowledged; it is sent again, whole, by a new producer."""


class Relay:
    """The thread that empties the outbox. connect: a direct connection for lock, LISTEN and marking; its loss stops
    sending at once, since another relay may then hold the lock. producer: builds one, and may block doing so.

    pace_seconds: how long after the last a batch begins at least, for events that nobody waits for. Killed between
    sending and marking it sends twice; readers drop what they have seen.
    """

    def __init__(
        self,
        service: str,
        connect: Callable[[], Connection],
        producer: Callable[[], Producer],
        *,
        batch: int = BATCH,
        pace_seconds: float = 0.0,
    ) -> None:
        self._service = service
        self._source = f"/services/{service}".encode()
        self._connect = connect
        self._make_producer = producer
        self._batch = batch
        self._pace = pace_seconds
        self._producer: Producer | None = None
        self._measured = float("-inf")
        self._backoff = _BACKOFF_LEAST
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"relay-{service}", daemon=True)

    def start(self) -> None:
        """Begin; waits for database and broker by itself."""
        self._thread.start()

    def stop(self, seconds: float = 5.0) -> None:
        """Ask the thread to end after the batch in hand, and wait that long for it."""
        self._stopping.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with self._connect() as conn:
                    self._follow(conn)
            except Exception as error:  # noqa: BLE001 - the outbox waits for whatever is mended; a dead thread would not say so
                log.warning("relay waits %.1f s: %s", self._backoff, type(error).__name__)
                self._drop_producer()
                self._stopping.wait(self._backoff)
                self._backoff = min(self._backoff * 2, _BACKOFF_MOST)
        self._drop_producer()

    def _follow(self, conn: Connection) -> None:
        """Hold the lock and send until asked to stop; raises when database or broker fails."""
        if not self._locked(conn):
            return
        conn.execute(f"LISTEN {channel(self._service)}")
        last = conn.execute("SELECT coalesce(max(position), 0) FROM events").fetchone()
        position: int = last[0] if last else 0
        with ThreadPoolExecutor(1, f"relay-{self._service}-marks") as marker:
            self._empty(conn, position, marker)

    def _empty(self, conn: Connection, position: int, marker: ThreadPoolExecutor) -> None:
        """Batch after batch. While full ones follow each other, the next is read as the broker works on this one, and
        queued as the database marks this one; only ever one is on its way to the broker."""
        began, pace = 0.0, 0.0
        rows: list[Row] = []
        marking: Future[None] | None = None
        woken = True
        while not self._stopping.is_set():
            self._measure(conn)
            if not rows:
                if not woken:
                    await_notice(conn, POLL_SECONDS, self._stopping)
                self._stopping.wait(max(0.0, began + pace - time.monotonic()))
                rows = self._unsent(conn)
                shared = max(self._pace, min(PACE_SECONDS * len(rows), PACE_MOST_SECONDS))
                began, pace = time.monotonic(), shared if rows else 0.0
            woken = len(rows) == self._batch  # else that was all: what is committed from now on will wake us
            if not rows:
                continue
            queued = self._queue(rows)
            ahead = self._unsent(conn, rows) if len(rows) == self._batch else []
            self._flush(queued)
            if marking:
                marking.result()
            marking = marker.submit(self._mark, conn, rows, position) if ahead else None
            if not marking:
                self._mark(conn, rows, position)
            position += len(rows)
            rows = ahead
            self._backoff = _BACKOFF_LEAST
        if marking:
            marking.result()

    def _locked(self, conn: Connection) -> bool:
        """Wait for the service's lock; another relay that holds it may be working for years."""
        while not self._stopping.is_set():
            row = conn.execute(
                "SELECT pg_try_advisory_lock(hashtextextended('relay ' || current_schema(), 0))"
            ).fetchone()
            if row and row[0]:
                return True
            self._stopping.wait(1.0)
        return False

    def _unsent(self, conn: Connection, but: Sequence[Row] = ()) -> list[Row]:
        """The next of the log in order, leaving out what is on its way. A lower number may appear late, but never of a
        subject that has a higher one: appending holds the subject."""
        found = conn.execute(
            "SELECT appended, subject, topic, type, value FROM events WHERE position IS NULL"
            " ORDER BY appended LIMIT %s OFFSET %s",
            (self._batch, len(but)),
            binary=True,
        ).fetchall()
        sent = {row[0] for row in but}
        return [row for row in found if row[0] not in sent]

    def _queue(self, rows: Sequence[Row]) -> list[Any]:
        """Hand the events to the producer, in order; what to wait for."""
        if self._producer is None:
            self._producer = self._make_producer()
        producer = self._producer
        content = ("content-type", CONTENT_TYPE.encode())
        source = ("source", self._source)
        return [
            producer.send(
                topic, value=bytes(value), key=subject.encode(), headers=[content, source, ("type", type_.encode())]
            )
            for _, subject, topic, type_, value in rows
        ]

    def _flush(self, queued: Sequence[Any]) -> None:
        """Wait until the broker has all of them. Raises NotSent."""
        assert self._producer is not None
        self._producer.flush(timeout=40)
        if not all(future.is_done and future.succeeded() for future in queued):
            raise NotSent
        metrics.EVENTS_PUBLISHED.labels(self._service).inc(len(queued))

    def _mark(self, conn: Connection, rows: Sequence[Row], position: int) -> None:
        """Positions in the order sent, visible at once for the whole batch: a reader of `after=` misses nothing."""
        appended = [row[0] for row in rows]
        marked = conn.execute(
            "UPDATE events SET position = %s + k.nth FROM unnest(%s::bigint[]) WITH ORDINALITY AS k(appended, nth)"
            " WHERE events.position IS NULL AND events.appended = k.appended"
            " AND events.appended BETWEEN %s AND %s",  # else each batch looks through all that waits
            (position, appended, appended[0], appended[-1]),
        )
        if marked.rowcount != len(rows):
            raise NotSent(f"{len(rows) - marked.rowcount} events were marked by another relay")

    def _measure(self, conn: Connection) -> None:
        """What waits, every few seconds; also while the broker is away and nothing can be sent."""
        if time.monotonic() < self._measured + POLL_SECONDS:
            return
        self._measured = time.monotonic()
        row = conn.execute(
            "SELECT count(*), coalesce(extract(epoch FROM %s - min(recorded)), 0)::float8"
            " FROM events WHERE position IS NULL",
            (clock.now(),),
        ).fetchone()
        if row:
            metrics.OUTBOX_WAITING.labels(self._service).set(row[0])
            metrics.OUTBOX_OLDEST.labels(self._service).set(max(0.0, row[1]))

    def _drop_producer(self) -> None:
        if self._producer is not None:
            producer, self._producer = self._producer, None
            try:
                producer.close(timeout=1)
            except KafkaError:
                log.warning("the producer did not close in time")
