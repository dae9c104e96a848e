"""Builds and wires observation; opens nothing."""

from __future__ import annotations

from jalons.postgres import direct
from jalons.privacy.api import audit_routes
from jalons.process.purge import Purge, shared
from jalons.process.serve import Service
from jalons.process.settings import Settings
from jalons.process.wiring import follower
from schemas.topics import DIRECTORY, PATHWAYS
from services.observation.counts.http import ANSWERS, count_routes
from services.observation.pathways import rows as pathways
from services.observation.pathways.apply import Project
from services.observation.pathways.http import pathway_routes
from services.observation.pathways.stalls import Stalls
from services.observation.stream.http import Streams, stream_routes
from services.observation.stream.tail import Tail

PROMISE = "What the network sees: each person's pathway, counts, and a stream of events cut to its reader."


def build(settings: Settings) -> Service:
    """The service, not started."""
    service, base = follower(
        settings,
        "observation",
        PROMISE,
        topics=(PATHWAYS, DIRECTORY),
        follows=("referrals",),
        apply=lambda ground, keys: Project(ground.outbox, ground.alias, keys.forget),
    )
    app = service.app
    app.state.answers = ANSWERS
    tail = Tail(base.engine, lambda: direct(settings.direct_url, "observation", "tail"))
    app.include_router(pathway_routes(base.engine, base.alias, base.own, base.audit))
    app.include_router(audit_routes(base.engine, base.audit, pathways.home_ref, base.own, base.cursors("audit")))
    app.include_router(count_routes(base.engine))
    app.include_router(
        stream_routes(Streams(base.engine, tail, base.alias, base.own, base.cursors("stream"), base.audit))
    )
    purge = Purge(base.engine, shared(settings, audited=True))
    service.parts.add(purge.part, tail.part, Stalls(base.engine, base.outbox, "/services/referrals").part)
    return service
