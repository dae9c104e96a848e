"""Publishes, once, that a step has stalled: 90 days without activity. Several processes may look at the same time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from jalons import clock
from jalons.database import transaction
from jalons.messaging import progress
from jalons.messaging.outbox import Cause, Outbox
from schemas.pathway import StalledV1
from services.observation.pathways import rows
from services.observation.pathways.apply import derive
from services.observation.stream.rows import add_derivations, take_positions

log = logging.getLogger(__name__)

SILENCE = timedelta(days=90)
LOOK_SECONDS = 3600.0
AGAIN_SECONDS = 60.0
"""Wait after a round that the database or a live event interrupted."""
BATCH = 50
"""Persons locked at once: their live events wait until the batch is committed."""


class Stalls:
    """The part that publishes stalled steps, once an hour. follows: the source whose progress locks a person."""

    def __init__(self, engine: Engine, outbox: Outbox, follows: str, now: Callable[[], datetime] = clock.now) -> None:
        self._engine = engine
        self._outbox = outbox
        self._follows = follows
        self._now = now
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stalls", daemon=True)

    def start(self) -> None:
        """Start; the first round is immediate."""
        self._thread.start()

    def stop(self) -> None:
        """Ask for the end; the current batch is committed or rolled back."""
        self._stopping.set()

    def look(self, now: datetime) -> int:
        """Publish every step that has stalled by `now` and return their number. Raises the database's errors and
        progress.ClaimLost."""
        found = 0
        while stalled := self._batch(now):
            found += stalled
        return found

    def _batch(self, now: datetime) -> int:
        with transaction(self._engine) as conn:
            refs = rows.silent_persons(conn, now - SILENCE, BATCH)
            return self._publish(conn, refs, now) if refs else 0

    def _publish(self, conn: Connection, refs: list[str], now: datetime) -> int:
        """Lock the persons in order, then publish what is still silent: a live event is applied before or after."""
        for ref in refs:
            progress.lock(conn, (self._follows, ref))
        stalled = rows.lock_silent_steps(conn, now - SILENCE, refs)
        if not stalled:
            return 0
        drafts = []
        for ref, step, correlation in stalled:
            at = step.last_at + SILENCE
            cause = Cause(correlation, step.last_event)
            drafts.append(derive(ref, StalledV1, step, at, step.partner, cause, at.astimezone(UTC).isoformat()))
        rows.save_steps(conn, {(ref, step.first_event): replace(step, stalled=True) for ref, step, _ in stalled})
        published = self._outbox.append(conn, drafts, now)
        add_derivations(conn, enumerate(published, take_positions(conn, len(published))))
        return len(published)

    def _run(self) -> None:
        while not self._stopping.is_set():
            pause = LOOK_SECONDS
            try:
                self.look(self._now())
            except (SQLAlchemyError, psycopg.Error, progress.ClaimLost) as error:
                pause = AGAIN_SECONDS
                log.warning("the search for stalled steps waits %.0f s: %s", pause, type(error).__name__)
            self._stopping.wait(clock.pause(pause))
