"""What a service has sent is compared with what the broker holds: a topic that was wiped is said, with the command."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any, Protocol

from kafka import TopicPartition
from kafka.errors import KafkaError
from sqlalchemy import Engine, func, select

from jalons.database import transaction
from jalons.messaging.kafka import reader
from jalons.messaging.tables import events as log
from jalons.process import metrics
from jalons.process.parts import Heartbeat, Part
from jalons.process.settings import Settings


class Client(Protocol):
    """The methods of kafka-python's consumer that are used."""

    def topics(self) -> Collection[str]:
        """The names of all topics, asked of the broker."""

    def partitions_for_topic(self, topic: str) -> Collection[int] | None:
        """The topic's partitions."""

    def end_offsets(self, partitions: list[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The offset after the last record of each; it never falls while the topic lives, whatever its retention."""


class Kept:
    """Counts the events that a service sent to each topic, and how many records the broker had of it.

    A topic with fewer records than events was lost, or set up anew. Sent again, it holds enough, and is well.
    """

    def __init__(self, settings: Settings, service: str, engine: Engine) -> None:
        self._settings = settings
        self._service = service
        self._engine = engine
        self._sent: Counter[str] = Counter()
        self._counted = 0
        self._reasons: list[str] = []

    @property
    def part(self) -> Part:
        """The comparison as a part of a process: at its start, and each minute."""
        return Part("topics", self._run, passing=(KafkaError,))

    def _run(self, heartbeat: Heartbeat) -> None:
        client: Any = reader(self._settings, f"jalons-{self._service}-topics")
        try:
            while not heartbeat.stopping.is_set():
                self.check(client)
                heartbeat.sleep(self._settings.reconcile_seconds)
        finally:
            client.close()

    def reasons(self) -> list[str]:
        """What the broker lacks, a sentence for each topic; empty if it has everything."""
        return self._reasons

    def check(self, client: Client) -> None:
        """Compare. What was sent is counted first: what is sent meanwhile is not missing."""
        self._count()
        existing = set(client.topics()) if self._sent else set()
        reasons = []
        for topic, sent in sorted(self._sent.items()):
            held = _held(client, topic) if topic in existing else 0
            metrics.TOPIC_MISSING.labels(self._service, topic).set(max(0, sent - held))
            if held < sent:
                what = f"holds {held} records" if topic in existing else "is gone"
                reasons.append(
                    f"{topic} {what}, and {sent} events were sent to it: `jalons republish {self._service}` sends them "
                    "again, after `jalons migrate` where a topic is gone"
                )
        self._reasons = reasons

    def _count(self) -> None:
        query = select(log.c.topic, func.count(), func.max(log.c.position)).where(log.c.position > self._counted)
        with transaction(self._engine) as conn:
            found = conn.execute(query.group_by(log.c.topic)).all()
        for topic, number, position in found:
            self._sent[topic] += number
            self._counted = max(self._counted, position)


def _held(client: Client, topic: str) -> int:
    partitions = [TopicPartition(topic, number) for number in client.partitions_for_topic(topic) or ()]
    return sum(client.end_offsets(partitions).values()) if partitions else 0
