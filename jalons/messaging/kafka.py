"""The hub's kafka-python clients, and the topics it needs on the broker."""

from __future__ import annotations

import socket
from typing import Any

from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.errors import TopicAlreadyExistsError

from jalons.process.settings import Settings
from schemas.topics import MAX_MESSAGE_BYTES, TOPICS, Topic


def client_options(settings: Settings, client_id: str) -> dict[str, Any]:
    """Options that every client shares. A client reconnects at most 2 seconds after the broker is back."""
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


def producer(settings: Settings, client_id: str) -> KafkaProducer:
    """An idempotent producer. Building it blocks while the broker is away, so that only the relay's thread may.

    `enable_idempotence` is passed although it is the default: a conflicting option then raises an error instead of
    turning it off silently. The default partitioner hashes the key, so that a subject's events share a partition.
    """
    return KafkaProducer(
        **client_options(settings, client_id),
        enable_idempotence=True,
        acks="all",
        linger_ms=1_000,
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
    """A consumer that joins no group: it asks for offsets, or reads from given ones. group: whose committed offsets it
    may ask for."""
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
    """Whether any bootstrap address accepts a connection; cheaper than building a client."""
    for address in settings.kafka.split(","):
        host, _, port = address.rpartition(":")
        try:
            with socket.create_connection((host, int(port)), timeout=seconds):
                return True
        except OSError:
            continue
    return False


def make_topics(settings: Settings) -> list[str]:
    """Create the missing topics and return their names. Existing topics are never changed or repartitioned.

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
                return []  # another migration created them
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
