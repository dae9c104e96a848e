"""How fast an outbox is emptied: the real relay beside a bare kafka-python producer that sends the same bytes.

Both use the same producer settings and flush once for 500 events; the relay also reads from and marks in PostgreSQL.
"""

from __future__ import annotations

import time
import uuid
from functools import partial

from sqlalchemy import Engine, func, select

from bench.figures import HUB, PEER, Figure, in_turns, medians
from bench.streams import EVENTS, append, draft, messages, new_schema, send, settings_of
from jalons.embedded.stack import Servers
from jalons.messaging.kafka import make_topics, producer
from jalons.messaging.relay import Relay
from jalons.postgres import direct
from jalons.process.parts import Parts
from jalons.process.settings import Settings

_SCHEMA = "bench_relay"


def measure(servers: Servers, events: int, rounds: int) -> list[Figure]:
    """Events a second, medians of the rounds."""
    settings = settings_of(servers)
    make_topics(settings)
    with new_schema(servers, _SCHEMA) as pool:
        runs = {HUB: partial(_relayed, settings, pool, events), PEER: partial(_sent, settings, pool, events)}
        return [Figure("relay rate", "events/s", medians(in_turns(runs, rounds)))]


def _relayed(settings: Settings, pool: Engine, events: int) -> float:
    """From the first batch marked to the last."""
    end = _last_position(pool) + events
    append(pool, [draft("referral.sent", str(uuid.uuid4())) for _ in range(events)])
    relay = Relay(
        _SCHEMA,
        connect=lambda: direct(settings.direct_url, _SCHEMA, "bench"),
        producer=lambda: producer(settings, "bench"),
    )
    parts = Parts(_SCHEMA)
    parts.add(relay.part)
    parts.start()
    while (start := _last_position(pool)) == end - events:
        time.sleep(0.002)
    began = time.monotonic()
    while _last_position(pool) < end:
        time.sleep(0.005)
    elapsed = time.monotonic() - began
    parts.stop()
    return (end - start) / elapsed


def _sent(settings: Settings, pool: Engine, events: int) -> float:
    """The events of the round before, read into memory first."""
    return events / send(settings, messages(pool, events))


def _last_position(pool: Engine) -> int:
    with pool.connect() as conn:
        return conn.execute(select(func.max(EVENTS.c.position))).scalar() or 0
