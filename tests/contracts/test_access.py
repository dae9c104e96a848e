"""The broker lets each service write and read its own topics and no others, whatever a process on the machine asks."""

from __future__ import annotations

import contextlib

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ACLOperation, KafkaAdminClient, ResourceType
from kafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
)

from jalons.embedded.stack import Servers
from jalons.messaging import access
from jalons.messaging.kafka import make_topics
from jalons.process.settings import SERVICES, Settings
from schemas.topics import TOPICS, Topic
from tests.support.broker import login


@pytest.fixture(scope="module")
def guarded(servers: Servers) -> Servers:
    """The session's broker with the hub's topics and rules."""
    known = servers.kafka_settings()
    settings = Settings(database_url="none", secret_key="s" * 32, hub_client_secret="none", **known)
    make_topics(settings)
    assert access.make_access(settings) == "rules of 3 services"
    assert access.make_access(settings) == "rules of 3 services", "and again"
    return servers


def _refused(user: str, servers: Servers, topic: Topic) -> bool:
    with contextlib.closing(KafkaProducer(**login(servers, user), allow_auto_create_topics=False)) as producer:
        try:
            producer.send(topic.name, key=b"nobody", value=b"written by a test").get(10)
        except TopicAuthorizationFailedError:
            return True
    return False


def _reads(user: str, servers: Servers, topic: Topic) -> bool:
    """Whether a user gets a record of a topic that has some."""
    with contextlib.closing(KafkaConsumer(**login(servers, user), auto_offset_reset="earliest")) as client:
        if not client.partitions_for_topic(topic.name):
            return False
        client.assign([TopicPartition(topic.name, n) for n in range(topic.partitions)])
        with contextlib.suppress(TopicAuthorizationFailedError):
            while not client.poll(timeout_ms=1000):
                continue
            return True
    return False


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_writes_its_own_topics_and_no_other(guarded: Servers, service: str) -> None:
    open_to = {topic.name for topic in TOPICS if not _refused(service, guarded, topic)}
    assert open_to == {topic.name for topic in TOPICS if service in topic.writers}
    assert open_to


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_reads_the_topics_it_follows_and_no_other(guarded: Servers, service: str) -> None:
    with contextlib.closing(KafkaProducer(**login(guarded))) as producer:
        for topic in TOPICS:
            producer.send(topic.name, key=b"nobody", value=b"written by a test").get(10)
    may = {topic.name for topic in TOPICS if _reads(service, guarded, topic)}
    assert may == {topic.name for topic in TOPICS if service in topic.readers}


def test_a_service_makes_no_topic_and_takes_no_others_place(guarded: Servers) -> None:
    with contextlib.closing(KafkaAdminClient(**login(guarded, "observation"))) as admin:
        with pytest.raises((TopicAuthorizationFailedError, ClusterAuthorizationFailedError)):
            admin.create_topics({"mine": {"num_partitions": 1, "replication_factor": 1}})
        with pytest.raises(KafkaError):
            admin.describe_acls(access.EVERY)
    other = KafkaConsumer(**login(guarded, "observation"), group_id="jalons-notifications")
    with contextlib.closing(other), pytest.raises(GroupAuthorizationFailedError):
        other.committed(TopicPartition("jalons.pathways", 0))


def test_a_rule_that_is_no_longer_meant_is_taken_back(guarded: Servers) -> None:
    with contextlib.closing(KafkaAdminClient(**login(guarded))) as admin:
        made = access.allow("referrals", ACLOperation.ALL, ResourceType.TOPIC, "jalons.deliveries")
        assert not admin.create_acls([made])["failed"]
        assert made in admin.describe_acls(access.EVERY)[0]
        access.write_rules(admin)
        found = admin.describe_acls(access.EVERY)[0]
    assert set(found) == set(access.rules())
