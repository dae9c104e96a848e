"""Sends a range of a service's own log to Kafka again, in order; no position, number or row is touched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg

from jalons.messaging.relay import BATCH, NotSent, Producer
from schemas.envelope import CONTENT_TYPE

Connection = psycopg.Connection[tuple[Any, ...]]
Progress = Callable[[int], None]
"""Told how many more the broker has acknowledged."""


def newest(conn: Connection) -> int:
    """The last position of the log; 0 when nothing was sent yet. conn: sees the service's schema."""
    row = conn.execute("SELECT coalesce(max(position), 0) FROM events").fetchone()
    return int(row[0]) if row else 0


def republish(
    conn: Connection, producer: Producer, service: str, first: int, last: int, progress: Progress = lambda _number: None
) -> int:
    """Send the events at positions first to last (both included) again; how many that was.

    Only what was sent once is sent again: an event without a position is the relay's. Readers drop what they have
    seen. Raises NotSent when the broker did not take a batch: all before it was sent, and sending it again is safe.
    """
    sent = 0
    with conn.transaction(), conn.cursor(name="republish") as rows:
        rows.execute(
            "SELECT subject, topic, type, value FROM events WHERE position BETWEEN %s AND %s ORDER BY position",
            (first, last),
        )
        while batch := rows.fetchmany(BATCH):
            _send(producer, service, batch)
            sent += len(batch)
            progress(len(batch))
    return sent


def _send(producer: Producer, service: str, batch: list[tuple[Any, ...]]) -> None:
    """Queue a batch as the relay does, and wait until every record of it is acknowledged."""
    common = [("content-type", CONTENT_TYPE.encode()), ("source", f"/services/{service}".encode())]
    futures = [
        producer.send(topic, value=bytes(value), key=subject.encode(), headers=[*common, ("type", kind.encode())])
        for subject, topic, kind, value in batch
    ]
    producer.flush(timeout=40)
    if not all(future.is_done and future.succeeded() for future in futures):
        raise NotSent
