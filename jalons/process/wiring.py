"""What every service is wired of: engine, log, relay; and, where it follows others, delivery and its guards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import psycopg
from fastapi import FastAPI
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from jalons.database import direct, engine, execute, transaction
from jalons.messaging.api import dead_letter_routes, log_routes
from jalons.messaging.consumer import Consumer
from jalons.messaging.deliver import Apply, Deliver
from jalons.messaging.kafka import producer
from jalons.messaging.outbox import Outbox
from jalons.messaging.reconciler import Reconciler
from jalons.messaging.relay import Relay
from jalons.messaging.source_log import SourceLog
from jalons.messaging.watchdog import Watchdog
from jalons.privacy.aliases import alias
from jalons.privacy.audit import Audit
from jalons.privacy.disclosure import Alias
from jalons.privacy.forgotten import forgotten_routes
from jalons.privacy.keys import Keys
from jalons.privacy.sealing import derive
from jalons.process.peers import Peers
from jalons.process.serve import Part, Service, end_process
from jalons.process.settings import SERVICES, ServiceName, Settings
from jalons.web.application import application
from schemas.topics import Topic


@dataclass(frozen=True)
class Ground:
    """What a service stands on before it has any route of its own."""

    name: ServiceName
    settings: Settings
    engine: Engine
    outbox: Outbox
    relay: Relay
    alias: Alias
    audit: Audit


def ground(
    settings: Settings, name: ServiceName, pool: Engine, outbox: Outbox, relay_pace_seconds: float = 0.0
) -> Ground:
    """What stands on a service's engine. Opens nothing."""
    secret = derive(settings.secret_key.get_secret_value(), "aliases")
    relay = Relay(
        name,
        connect=lambda: direct(settings.direct_url, name, "relay"),
        producer=lambda: producer(settings, f"jalons-{name}"),
        pace_seconds=relay_pace_seconds,
    )
    return Ground(
        name,
        settings,
        pool,
        outbox,
        relay,
        lambda ref, partner: alias(secret, ref, partner),
        Audit(settings.secret_key.get_secret_value(), name),
    )


def database_answers(pool: Engine) -> bool:
    """Whether the database takes a question now."""
    try:
        with transaction(pool) as conn:
            execute(conn, "SELECT 1")
    except (SQLAlchemyError, psycopg.Error):
        return False
    return True


def follower(
    settings: Settings,
    name: ServiceName,
    promise: str,
    *,
    topics: Sequence[Topic],
    follows: Sequence[ServiceName],
    apply: Callable[[Ground, Keys], Apply],
    pace_seconds: float = 0.0,
    audited: bool = True,
) -> tuple[Service, Ground, FastAPI, Keys]:
    """A service that follows others' logs: delivery, reconciler, watchdog and the routes every service has. Its first
    tables hold `privacy.forgotten`'s. pace_seconds: how long its batches are apart at least, heard or said.

    The caller adds its own routes to the application and its own parts to the service. audited: it has events of
    persons, and an audit of who reads them.
    """
    peers = Peers(settings)
    pool = engine(settings.database_url, name, pool=settings.database_pool)
    base = ground(settings, name, pool, Outbox(name), pace_seconds)
    keys = peers.keys()
    logs: Mapping[str, SourceLog] = {f"/services/{each}": peers.log(each, topics) for each in follows}
    deliver = Deliver(
        name,
        base.engine,
        apply(base, keys),
        base.outbox,
        keys,
        logs,
        others=frozenset(f"/services/{each}" for each in SERVICES if each not in follows),
    )
    consumer = Consumer(settings, name, topics, deliver, pace_seconds)
    deliver.observe = consumer.observe

    def missing() -> dict[str, str]:
        waits = {} if database_answers(base.engine) else {"database": "PostgreSQL does not answer"}
        if consumer.state.waiting_for_broker:
            waits["broker"] = "the consumer has not joined its group yet"
        return waits

    app = application(name, promise, peers.verifier(), missing, settings.public_url)
    app.include_router(log_routes(base.engine, keys, base.alias, base.audit if audited else None))
    app.include_router(dead_letter_routes(base.engine, deliver))
    app.include_router(forgotten_routes(base.engine))
    watchdog = Watchdog(
        settings,
        name,
        assigned=lambda: consumer.state.assigned - consumer.fused,
        delivered=lambda: consumer.state.delivered,
        excused=lambda: consumer.state.waiting_for_broker or deliver.waiting is not None,
        end_process=end_process,
    )
    parts: list[Part] = [base.relay, Reconciler(deliver, settings.reconcile_seconds), watchdog]
    return Service(name, app, parts, consumer, deliver.stopping), base, app, keys
