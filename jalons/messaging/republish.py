"""Sends a range of a service's own log to Kafka again, in order; no position, number or row changes."""

from __future__ import annotations

from collections.abc import Callable

from jalons.messaging import relay_rows
from jalons.messaging.relay import BATCH, Producer, send
from jalons.postgres import Direct

Progress = Callable[[int], None]
"""Called with the number of events that the broker has just acknowledged."""


def republish(
    conn: Direct, producer: Producer, service: str, first: int, last: int, progress: Progress = lambda _number: None
) -> int:
    """Send the events at positions first to last, both included, again; returns how many.

    Events without a position are left to the relay. Readers drop what they have seen. Raises NotSent or KafkaError
    when the broker did not take a batch: everything before it was sent, and sending it again is safe.
    """
    total = 0
    for rows in relay_rows.sent(conn, first, last, BATCH):
        send(producer, service, rows)
        total += len(rows)
        progress(len(rows))
    return total
