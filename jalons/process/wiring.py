"""What every service is built from: engine, outbox and relay; and, where it follows others, delivery and its guards."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import psycopg
from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from jalons.database import engine, transaction
from jalons.messaging.api import dead_letter_routes, log_routes
from jalons.messaging.consumer import Consumer
from jalons.messaging.deliver import Apply, Deliver
from jalons.messaging.kafka import producer
from jalons.messaging.kept import Kept
from jalons.messaging.outbox import Outbox
from jalons.messaging.partner_log import Narrow, PartnerLog
from jalons.messaging.reconciler import Reconciler
from jalons.messaging.relay import Relay
from jalons.messaging.source_log import SourceLog
from jalons.messaging.watchdog import Watchdog
from jalons.postgres import direct, try_session_lock
from jalons.privacy.aliases import alias
from jalons.privacy.audit import Audit
from jalons.privacy.cursors import Cursors
from jalons.privacy.disclosure import Alias
from jalons.privacy.forgotten import forgotten_routes
from jalons.privacy.keys import Keys
from jalons.privacy.own_ids import OwnId, own_id
from jalons.privacy.sealing import derive
from jalons.process.parts import CannotGoOn, Condition, Heartbeat, Part, Parts
from jalons.process.peers import Peers
from jalons.process.serve import Service
from jalons.process.settings import SERVICES, ServiceName, Settings
from jalons.web.application import application
from schemas.topics import Topic

BATCH_WAITS_SECONDS = 300
"""A batch that has waited this long degrades its service."""
JOIN_SECONDS = 30
"""A consumer may take this long to join its group after a start."""


@dataclass(frozen=True)
class Ground:
    """What a service has before its first own route."""

    name: ServiceName
    settings: Settings
    engine: Engine
    outbox: Outbox
    parts: Parts
    alias: Alias
    own: OwnId
    audit: Audit

    def cursors(self, of: str) -> Cursors:
        """The cursors of one of this service's lists."""
        return Cursors(self.settings.secret_key.get_secret_value(), f"{self.name} {of}")

    def log(self, keys: Keys, narrow: Narrow | None = None, *, audited: bool = True) -> PartnerLog:
        """The service's log as partners read it. narrow: drops what a partner may no longer see."""
        audit = self.audit if audited else None
        return PartnerLog(self.engine, keys, self.alias, self.own, self.cursors("log"), audit, narrow)


def ground(settings: Settings, name: ServiceName, pool: Engine, outbox: Outbox) -> Ground:
    """Build what stands on a service's engine, with the relay and the instance lock among its parts. Opens nothing."""
    secret = settings.secret_key.get_secret_value()
    aliases, own_ids = derive(secret, "aliases"), derive(secret, "own-ids")
    relay = Relay(
        name,
        connect=lambda: direct(settings.direct_url, name, "relay"),
        producer=lambda: producer(settings, f"jalons-{name}"),
    )
    parts = Parts(name)
    kept = Kept(settings, name, pool)
    parts.add(relay.part, kept.part)
    parts.watch(Condition("sending", relay.refused), Condition("topics", kept.reasons))
    if settings.instance:
        parts.add(instance_lock(settings, name))
    return Ground(
        name,
        settings,
        pool,
        outbox,
        parts,
        alias=lambda ref, partner: alias(aliases, ref, partner),
        own=lambda known, reader: own_id(own_ids, known, reader),
        audit=Audit(secret, name),
    )


def missing(pool: Engine) -> dict[str, str]:
    """What a service needs to answer its own calls, and has not; empty if it can answer."""
    try:
        with transaction(pool) as conn:
            conn.execute(select(1))
    except (SQLAlchemyError, psycopg.Error):
        return {"database": "PostgreSQL does not answer"}
    return {}


def instance_lock(settings: Settings, service: ServiceName) -> Part:
    """A part that holds the advisory lock on this worker's static id; if another worker holds it, the process ends.

    While the database is away nobody knows: the lock is tried again until it answers, and again when it is lost.
    """

    def run(heartbeat: Heartbeat) -> None:
        with direct(settings.direct_url, service, "instance") as conn:
            if not try_session_lock(conn, f"instance {service} {settings.instance}"):
                raise CannotGoOn(
                    f"another {service} runs as JALONS_INSTANCE={settings.instance}; give each worker its own name", 78
                )
            while not heartbeat.stopping.is_set():
                heartbeat.sleep(5)
                conn.execute("SELECT 1")

    return Part("instance lock", run)


def follower(
    settings: Settings,
    name: ServiceName,
    promise: str,
    *,
    topics: Sequence[Topic],
    follows: Sequence[ServiceName],
    apply: Callable[[Ground, Keys], Apply],
    audited: bool = True,
) -> tuple[Service, Ground]:
    """A service that follows others' logs: delivery, reconciler, watchdog and the routes every service has.

    The caller adds its own routes to the application and its own parts. Its first migration creates the table of
    `privacy.forgotten`. audited: its log has events of persons, and each read of them is recorded.
    """
    peers = Peers(settings)
    pool = engine(settings.database_url, name, pool=settings.database_pool)
    base = ground(settings, name, pool, Outbox(name))
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
        stopping=base.parts.stopping,
    )
    consumer = Consumer(settings, name, topics, deliver)
    deliver.observe = consumer.observe
    app = application(
        name, promise, peers.verifier(), lambda: missing(pool), settings.public_url, degraded=base.parts.degraded
    )
    app.include_router(log_routes(base.log(keys, audited=audited)))
    app.include_router(dead_letter_routes(base.engine, deliver))
    app.include_router(forgotten_routes(base.engine))
    watchdog = Watchdog(
        settings,
        name,
        assigned=lambda: consumer.state.assigned - consumer.fused,
        delivered=lambda: consumer.state.delivered,
        excused=lambda: consumer.state.waiting_for_broker or bool(deliver.waiting),
    )
    reconciler = Reconciler(deliver, settings.reconcile_seconds)
    base.parts.add(reconciler.part, watchdog.part)
    base.parts.watch(
        Condition("batch", lambda: _waiting(deliver)),
        Condition("forged", reconciler.unknown),
        Condition("broker", lambda: _not_joined(consumer), JOIN_SECONDS),
    )
    return Service(name, app, base.parts, consumer), base


def _waiting(deliver: Deliver) -> Sequence[str]:
    waiting = deliver.waiting
    return [str(waiting)] if waiting and time.monotonic() - waiting.since >= BATCH_WAITS_SECONDS else []


def _not_joined(consumer: Consumer) -> Sequence[str]:
    return ["the consumer has not joined its group"] if consumer.state.waiting_for_broker else []
