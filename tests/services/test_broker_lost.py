"""A broker that lost what it was sent, or takes nothing more, is said within a minute, with the command; and clears."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaStorageError, NotEnoughReplicasError, TopicAuthorizationFailedError
from prometheus_client import REGISTRY
from sqlalchemy import Engine, update

from jalons.database import transaction
from jalons.messaging.kept import Kept
from jalons.messaging.relay import NotSent, Relay
from jalons.messaging.relay_rows import Row
from jalons.messaging.tables import events
from jalons.process.settings import Settings
from tests.support.events import person
from tests.support.relaying import Desk, Future, MemoryBroker, MemoryProducer

PATHWAYS = "jalons.pathways"


class Broker:
    """A broker of two partitions a topic. held: records by topic."""

    def __init__(self, **held: int) -> None:
        self.held = held

    def topics(self) -> Collection[str]:
        return set(self.held)

    def partitions_for_topic(self, topic: str) -> Collection[int] | None:
        return {0, 1}

    def end_offsets(self, partitions: list[TopicPartition]) -> Mapping[TopicPartition, int]:
        return {
            each: self.held[each.topic] // 2 + (each.partition and self.held[each.topic] % 2) for each in partitions
        }


@pytest.fixture
def desk(servers: Any, database: Engine, schema: str) -> Desk:
    return Desk(servers, database, schema)


def send_all(desk: Desk) -> None:
    with transaction(desk.engine) as conn:
        conn.execute(update(events).where(events.c.position.is_(None)).values(position=events.c.appended))


def missing() -> float | None:
    return REGISTRY.get_sample_value("jalons_topic_missing", {"service": "referrals", "topic": PATHWAYS})


@pytest.mark.parametrize("held", [{}, {PATHWAYS: 0}, {PATHWAYS: 4}], ids=["gone", "empty", "shorter"])
def test_a_topic_with_less_than_was_sent_to_it_is_said_with_the_command_and_clears(
    desk: Desk, held: dict[str, int]
) -> None:
    desk.append(*(person() for _ in range(5)))
    kept = Kept(settings(), "referrals", desk.engine)
    kept.check(Broker(**held))
    assert kept.reasons() == [], "nothing was sent yet"
    send_all(desk)
    kept.check(Broker(**held))
    [said] = kept.reasons()
    assert PATHWAYS in said and "jalons republish referrals" in said
    assert missing() == 5 - held.get(PATHWAYS, 0)
    kept.check(Broker(**{PATHWAYS: 7}))
    assert kept.reasons() == [], "sent again, or twice"
    assert missing() == 0
    desk.append(person(), person(), person())
    send_all(desk)
    kept.check(Broker(**{PATHWAYS: 7}))
    assert missing() == 1, "what was sent since is counted too"


@pytest.mark.parametrize("error", [KafkaStorageError(), NotEnoughReplicasError(), TopicAuthorizationFailedError()])
def test_a_broker_that_takes_nothing_is_said_with_its_error_and_clears(error: Exception) -> None:
    broker = MemoryBroker(failing={1})
    relay = Relay("referrals", connect=lambda: None, producer=broker.producer)  # type: ignore[arg-type, return-value]

    class Refusing(MemoryProducer):
        def send(self, topic: str, value: bytes, key: bytes, headers: list[tuple[str, bytes]]) -> Future:
            return Future(done=True, error=error)

    row = Row(1, "anna", PATHWAYS, "jalons.referral.received.v1", b"{}")
    relay._producer = Refusing(broker)
    with pytest.raises(NotSent):
        relay._send([row])
    [said] = relay.refused()
    assert type(error).__name__ in said
    assert REGISTRY.get_sample_value("jalons_sending_refused", {"service": "referrals"}) == 1
    broker.failing = set()
    relay._producer = None
    relay._send([row])
    assert relay.refused() == []
    assert REGISTRY.get_sample_value("jalons_sending_refused", {"service": "referrals"}) == 0


def settings() -> Settings:
    return Settings(database_url="x", kafka="x", secret_key="x" * 32, hub_client_secret="x")
