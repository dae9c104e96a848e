"""How fast an outbox is emptied: events of the usual size, the real relay, the real broker, every mark committed."""

from __future__ import annotations

import time
import uuid

from sqlalchemy import Engine

from jalons.clock import new_id, now
from jalons.database import engine, execute, transaction
from jalons.embedded.stack import Servers
from jalons.messaging import migration
from jalons.messaging.kafka import make_topics, producer
from jalons.messaging.outbox import Cause, Draft, Outbox
from jalons.messaging.relay import Relay
from jalons.messaging.relay_rows import last_position
from jalons.postgres import direct
from jalons.process.parts import Parts
from jalons.process.settings import Settings
from schemas.catalogue import TYPES
from schemas.examples import DATA, SEALED

_SCHEMA = "bench"


def measure(servers: Servers, events: int, rounds: int = 3) -> dict[str, float]:
    """Events a second from first mark to last, the best of some rounds, since the first warms the broker."""
    settings = Settings(
        database_url=servers.database_url,
        kafka=servers.kafka_address,
        secret_key="only a bench, thirty-two characters",
        hub_client_secret="none",
    )
    make_topics(settings)
    pool = engine(servers.database_url, _SCHEMA)
    with transaction(pool) as conn:
        execute(conn, f"CREATE SCHEMA {_SCHEMA}")
        execute(conn, migration.FIRST)
    rates = [_emptied(settings, pool, events) for _ in range(rounds)]
    pool.dispose()
    return {"events_per_second": max(rates)}


def _emptied(settings: Settings, pool: Engine, events: int) -> float:
    outbox = Outbox(_SCHEMA, lambda _conn, subjects: dict.fromkeys(subjects, b"k" * 32))
    with transaction(pool) as conn:
        for _ in range(events // 500):
            outbox.append(conn, [_draft() for _ in range(500)], now())
    with direct(settings.direct_url, _SCHEMA, "bench-before") as conn:
        before = last_position(conn)
    relay = Relay(
        _SCHEMA,
        connect=lambda: direct(settings.direct_url, _SCHEMA, "bench"),
        producer=lambda: producer(settings, "bench"),
    )
    parts = Parts(_SCHEMA)
    parts.add(relay.part)
    parts.start()
    with direct(settings.direct_url, _SCHEMA, "bench-watch") as conn:
        while not (already := last_position(conn) - before):
            time.sleep(0.002)
        first = time.monotonic()
        while last_position(conn) - before < events:
            time.sleep(0.005)
        took = time.monotonic() - first
    parts.stop()
    return (events - already) / took


def _draft() -> Draft:
    type_ = "jalons.referral.sent.v1"
    payload = TYPES[type_]
    assert payload.SEALED is not None
    call = new_id()
    sealed = payload.SEALED.model_validate(SEALED[type_])
    data = payload.model_validate(DATA[type_])
    return Draft(str(uuid.uuid4()), data, now(), "cpas-hotton", Cause(call, call), sealed)
