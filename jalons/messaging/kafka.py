"""How the hub's kafka-python clients reach the broker, and the topics it needs there."""

from __future__ import annotations

import socket
import zlib
from typing import Any

from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.errors import TopicAlreadyExistsError
from kafka.partitioner.abc import Partitioner

from jalons.process.settings import Settings
from schemas.topics import MAX_MESSAGE_BYTES, TOPICS, Topic


def client_options(settings: Settings, client_id: str) -> dict[str, Any]:
    """Options every client shares. Reconnects within 2 s, since a broker that comes back is waited for."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka.split(","),
        "client_id": client_id,
        "security_protocol": settings.kafka_security,
        "reconnect_backoff_max_ms": 2000,
    }
    if settings.kafka_ca_file:
        options["ssl_cafile"] = str(settings.kafka_ca_file)
    if settings.kafka_security.startswith("SASL"):
        password = settings.kafka_password
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_username,
            "sasl_plain_password": password.get_secret_value() if password else None,
        }
    return options


class BySubject(Partitioner):  # type: ignore[misc]
    """A subject's events go to one partition: by CRC-32 of the key, as librdkafka's `consistent` partitioner does.

    The default computes murmur2 in Python, which was a quarter of what sending costs.
    """

    def partition(self, topic: str, _key: Any, key: bytes, _value: Any, _bytes: Any, cluster: Any) -> int:
        """Its number; partitions are counted from 0 and never change in number."""
        return zlib.crc32(key) % len(cluster.partitions_for_topic(topic))


def producer(settings: Settings, client_id: str) -> KafkaProducer:
    """An idempotent producer. Building it blocks while the broker is away: only the relay's own thread may.

    `enable_idempotence` is passed although it is the default: then an option that conflicts raises instead of
    turning it off silently.
    """
    return KafkaProducer(
        **client_options(settings, client_id),
        enable_idempotence=True,
        acks="all",
        linger_ms=1_000,
        partitioner=BySubject(),
        batch_size=256 * 1024,
        max_request_size=MAX_MESSAGE_BYTES,
        allow_auto_create_topics=False,
        delivery_timeout_ms=30_000,
        request_timeout_ms=10_000,
        max_block_ms=10_000,
        bootstrap_timeout_ms=10_000,
        metrics_enabled=False,
    )


def reader(settings: Settings, client_id: str, group: str | None = None) -> KafkaConsumer:
    """A consumer that joins no group, and only asks for offsets or reads from named ones; group: whose it may ask."""
    return KafkaConsumer(
        **client_options(settings, client_id),
        group_id=group,
        enable_auto_commit=False,
        fetch_max_bytes=2 * MAX_MESSAGE_BYTES,
        max_partition_fetch_bytes=2 * MAX_MESSAGE_BYTES,
        request_timeout_ms=10_000,
        metrics_enabled=False,
    )


def reachable(settings: Settings, seconds: float = 1.0) -> bool:
    """Whether any bootstrap address takes a connection; cheaper than finding out by building a client."""
    for address in settings.kafka.split(","):
        host, _, port = address.rpartition(":")
        try:
            with socket.create_connection((host, int(port)), timeout=seconds):
                return True
        except OSError:
            continue
    return False


def make_topics(settings: Settings) -> list[str]:
    """Create the topics that are missing; says which. Existing ones are left as they are, never repartitioned.

    Raises kafka.errors.KafkaError if the broker cannot be reached or refuses.
    """
    admin = KafkaAdminClient(**client_options(settings, "jalons-migrate"), request_timeout_ms=20_000)
    try:
        existing = set(admin.list_topics())
        missing = [topic for topic in TOPICS if topic.name not in existing]
        if missing:
            try:
                admin.create_topics({topic.name: _new(topic, settings.kafka_replication) for topic in missing})
            except TopicAlreadyExistsError:
                return []  # another migration was first
        return [topic.name for topic in missing]
    finally:
        admin.close()


def _new(topic: Topic, replication: int) -> dict[str, Any]:
    retention = -1 if topic.retention_days is None else topic.retention_days * 86_400_000
    configuration = {
        "cleanup.policy": "delete",
        "retention.ms": str(retention),
        "retention.bytes": "-1",
        "max.message.bytes": str(MAX_MESSAGE_BYTES),
        "min.insync.replicas": "2" if replication >= 3 else "1",
    }
    return {"num_partitions": topic.partitions, "replication_factor": replication, "configs": configuration}
