"""What only Kafka still holds after a restore: acts made since the backup. Partners have to make them again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from kafka import KafkaConsumer, TopicPartition
from sqlalchemy import Engine, select

from jalons.database import transaction
from jalons.messaging.kafka import reader
from jalons.messaging.tables import events
from jalons.process.settings import Settings
from schemas.topics import DIRECTORY, PATHWAYS

SOURCE = "/services/referrals"
"""Only what partners did has to be done again; the other services derive their events from it."""
_MARGIN = timedelta(hours=1)
"""A record's time on the broker may be before the snapshot in which its event is missing."""
_POLL_MS = 2_000


@dataclass(frozen=True, slots=True)
class Lost:
    """An event that the restored log does not know. reference: the act's spoken reference, if the event has one."""

    id: UUID
    type: str
    time: str
    partner: str
    reference: str | None


def lost(settings: Settings, engine: Engine, since: datetime) -> Iterator[Lost]:
    """The events of referrals that Kafka has since `since` and the restored log has not, by partition.

    Raises kafka.errors.KafkaError if the broker does not answer.
    """
    consumer = reader(settings, "jalons-restore")
    try:
        yield from _unknown(engine, _records(consumer, since - _MARGIN))
    finally:
        consumer.close()


def _records(consumer: KafkaConsumer, since: datetime) -> Iterator[Sequence[Any]]:
    """The values of both topics from an instant on, in batches."""
    partitions = [TopicPartition(topic.name, n) for topic in (PATHWAYS, DIRECTORY) for n in range(topic.partitions)]
    ends = consumer.end_offsets(partitions)
    starts = consumer.offsets_for_times({each: int(since.timestamp() * 1000) for each in partitions})
    ahead = {each: found.offset for each, found in starts.items() if found is not None and found.offset < ends[each]}
    consumer.assign(list(ahead))
    for partition, offset in ahead.items():
        consumer.seek(partition, offset)
    while any(consumer.position(each) < ends[each] for each in ahead):
        polled = consumer.poll(timeout_ms=_POLL_MS)
        yield [record.value for records in polled.values() for record in records]


def _unknown(engine: Engine, batches: Iterator[Sequence[bytes]]) -> Iterator[Lost]:
    for batch in batches:
        found = {each.id: each for value in batch if (each := _read(value)) is not None}
        with transaction(engine) as conn:
            known = set(conn.scalars(select(events.c.id).where(events.c.id.in_(found))))
        yield from (each for each in found.values() if each.id not in known)


def _read(value: bytes | None) -> Lost | None:
    """A record as far as it can be read; None if it is not an event of referrals."""
    try:
        event = json.loads(value or b"")
        if event["source"] != SOURCE:
            return None
        reference = event["data"].get("reference")
        return Lost(UUID(event["id"]), str(event["type"]), str(event["time"]), str(event.get("partner", "")), reference)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
