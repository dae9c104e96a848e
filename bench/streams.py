"""What the two measurements inside this process stand on: broker, PostgreSQL, and a log of events in referrals' form.

Everything of the hub's own parts that they build with is imported here, in `relay.py` and in `projection.py` only.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, column, create_engine, select, table

from jalons.clock import new_id, now
from jalons.database import engine, transaction
from jalons.embedded.stack import Servers
from jalons.messaging.kafka import producer
from jalons.messaging.outbox import Cause, Draft, Outbox
from jalons.process.migrate import upgrade
from jalons.process.settings import Settings
from schemas.catalogue import TYPES
from schemas.envelope import CONTENT_TYPE
from schemas.examples import DATA, SEALED

EVENTS = table("events", *map(column, ("appended", "position", "subject", "topic", "type", "value")))
BATCH = 500
KEY = b"k" * 32
"""Every person's key."""


def settings_of(servers: Servers) -> Settings:
    """Settings with these servers and made-up secrets."""
    return Settings(
        database_url=servers.database_url,
        **servers.kafka_settings(),
        secret_key="only a bench, thirty-two characters",
        hub_client_secret="none",
    )


@contextmanager
def new_schema(servers: Servers, schema: str) -> Iterator[Engine]:
    """An engine on a new schema with observation's tables, the log of events among them."""
    admin = create_engine(servers.database_url)
    with admin.connect() as conn:
        upgrade(conn, "observation", schema)
    admin.dispose()
    pool = engine(servers.database_url, schema)
    yield pool
    pool.dispose()


def append(pool: Engine, drafts: Sequence[Draft]) -> None:
    """Store events in the log of the schema, as referrals does when it answers a call."""
    outbox = Outbox("referrals", lambda _conn, subjects: dict.fromkeys(subjects, KEY))
    for first in range(0, len(drafts), BATCH):
        with transaction(pool) as conn:
            outbox.append(conn, drafts[first : first + BATCH], now())


def draft(kind: str, subject: str, **data: Any) -> Draft:
    """An event of the size of the catalogue's example, with some of its fields changed."""
    type_ = f"jalons.{kind}.v1"
    payload = TYPES[type_]
    sealed = payload.SEALED.model_validate(SEALED[type_]) if payload.SEALED else None
    call = new_id()
    return Draft(subject, payload.model_validate(DATA[type_] | data), now(), "cpas-hotton", Cause(call, call), sealed)


@dataclass(frozen=True)
class Message:
    """A Kafka record as the relay sends it for one event."""

    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


def messages(pool: Engine, last: int) -> list[Message]:
    """The records of the last so many events of the log, in order."""
    statement = select(EVENTS).order_by(EVENTS.c.appended.desc()).limit(last)
    with pool.connect() as conn:
        rows = conn.execute(statement).all()
    shared = [("content-type", CONTENT_TYPE.encode()), ("source", b"/services/referrals")]
    return [
        Message(row.topic, row.subject.encode(), bytes(row.value), [*shared, ("type", row.type.encode())])
        for row in reversed(rows)
    ]


def send(settings: Settings, records: Sequence[Message]) -> float:
    """Send with a bare idempotent producer, one flush for each batch; seconds from first send to last flush."""
    client = producer(settings, "bench")
    began = time.monotonic()
    for first in range(0, len(records), BATCH):
        futures = [
            client.send(each.topic, value=each.value, key=each.key, headers=each.headers)
            for each in records[first : first + BATCH]
        ]
        client.flush(timeout=40)
        if not all(future.succeeded() for future in futures):
            raise RuntimeError("the broker did not take every record")
    elapsed = time.monotonic() - began
    client.close(timeout=5)
    return elapsed
