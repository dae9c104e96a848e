"""Builds referrals and wires it; opens nothing."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from jalons.backup.erased import ErasedList
from jalons.backup.nightly import Nightly
from jalons.clock import now
from jalons.database import engine
from jalons.messaging.api import dead_letter_routes, log_routes
from jalons.messaging.outbox import Outbox
from jalons.privacy.api import audit_routes
from jalons.privacy.links import AnswerLinks
from jalons.process.peers import Peers
from jalons.process.purge import Purge, shared
from jalons.process.serve import Service
from jalons.process.settings import Settings
from jalons.process.wiring import ground, missing
from jalons.web.application import application
from jalons.web.identity import Verifier
from schemas.envelope import Event
from services.referrals.activities import http as activities
from services.referrals.acts import front_http as front
from services.referrals.acts import http as acts
from services.referrals.acts.reading import narrowed
from services.referrals.answering import pages as answer
from services.referrals.answering import resend
from services.referrals.calls.answers import ANSWERS
from services.referrals.calls.edge import Edge
from services.referrals.calls.examples import EXAMPLES
from services.referrals.clock import http as clock
from services.referrals.codes import http as code_lists
from services.referrals.deadlines.loop import ClockLoop
from services.referrals.directory import http as directory
from services.referrals.directory import offers_http as offers
from services.referrals.erasure import http as erasure
from services.referrals.erasure.listed import Listed
from services.referrals.expiry import expiries
from services.referrals.exports import http as exports
from services.referrals.identity import http as identity
from services.referrals.identity.signing import SigningKeys
from services.referrals.imports import http as imports
from services.referrals.imports.commands import Importer, key_of
from services.referrals.needs import http as needs
from services.referrals.pages.render import Pages
from services.referrals.persons import http as persons
from services.referrals.persons import pages as person_pages
from services.referrals.persons import rows as stores
from services.referrals.persons.keys import PersonKeys
from services.referrals.slips import http as going_on
from services.referrals.slips import pages as slip

IMPORT_BYTES = 20 * 1024 * 1024
PROMISE = "What partners do: refer, answer, train, place; each act one commit, one event, and nothing disclosed."


def _narrowed(conn: Connection, events: Sequence[Event], partner: str) -> list[Event]:
    return narrowed(conn, events, partner, now())


def build(settings: Settings) -> Service:
    """The service, ready to be started."""
    secret = settings.secret_key.get_secret_value()
    pool = engine(settings.database_url, "referrals", pool=settings.database_pool)
    keys = PersonKeys(pool, secret)
    base = ground(settings, "referrals", pool, Outbox("referrals", keys.wanted))
    signing = SigningKeys(base.engine, secret)
    own = settings.issuer is None and settings.jwks_url is None
    peers = Peers(settings)
    verifier = Verifier(signing, settings.token_issuer) if own else peers.verifier()

    app = application(
        "referrals",
        PROMISE,
        verifier,
        lambda: missing(pool),
        settings.public_url,
        large={"/imports": IMPORT_BYTES},
        degraded=base.parts.degraded,
    )
    app.state.examples = EXAMPLES
    app.state.answers = ANSWERS
    edge = Edge(base, keys)
    app.include_router(acts.routes(edge))  # first: paths are looked through in order, and these are the busiest
    app.include_router(exports.routes(edge))
    app.include_router(front.routes(edge))
    app.include_router(persons.routes(edge))
    app.include_router(erasure.routes(edge, peers))
    app.include_router(directory.routes(edge))
    app.include_router(code_lists.routes(edge))
    importer = Importer(base, keys, key_of(secret))
    app.include_router(imports.routes(edge, importer, key_of(secret)))
    app.include_router(offers.routes(edge))
    app.include_router(needs.routes(edge))
    app.include_router(activities.routes(edge))
    app.include_router(identity.routes(settings, edge, keys, signing))
    pages = Pages(settings.network_name)
    app.include_router(answer.routes(edge, AnswerLinks(secret), pages))
    app.include_router(person_pages.routes(edge, pages))
    app.include_router(resend.routes(edge, pages, peers.tell_what_waits))
    app.include_router(slip.routes(edge, pages, secret, settings.public_url or settings.referrals_url))
    app.include_router(going_on.routes(edge))
    app.include_router(clock.routes())
    app.include_router(audit_routes(base.engine, base.audit, stores.home_ref, base.own, base.cursors("audit")))
    app.include_router(log_routes(base.log(keys.cache, _narrowed)))
    app.include_router(dead_letter_routes(base.engine, None))
    purge = Purge(base.engine, [*shared(settings, audited=True), *expiries(settings)])
    base.parts.add(importer.part, ClockLoop(base, keys).part, purge.part)
    if settings.backup_dir is not None:
        listed = Listed(base, keys, ErasedList(settings.backup_dir))
        base.parts.add(Nightly(base.engine, settings, settings.backup_dir).part, listed.part)
    return Service("referrals", app, base.parts)
