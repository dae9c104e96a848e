"""A step without any event for 90 days is said once to have stalled, whoever looks and however often."""

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
from jalons.inserts import Inserts
from jalons.messaging import progress
from jalons.messaging.outbox import Cause, Draft, Outbox
from schemas.pathway import StalledV1
from services.observation.pathways import rows as store
from services.observation.pathways.apply import derive

log = logging.getLogger(__name__)

SILENCE = timedelta(days=90)
LOOK_SECONDS = 3600.0
AGAIN_SECONDS = 60.0
"""After a look that the database or a live event cut short."""
BATCH = 50
"""Persons held at once: their live events wait until the batch is committed."""


class Stalls:
    """The part that looks for silent steps, once an hour. follows: the source whose progress is a person's lock."""

    def __init__(self, engine: Engine, outbox: Outbox, follows: str, now: Callable[[], datetime] = clock.now) -> None:
        self._engine = engine
        self._outbox = outbox
        self._follows = follows
        self._now = now
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stalls", daemon=True)

    def start(self) -> None:
        """Begin; the first look is at once."""
        self._thread.start()

    def stop(self) -> None:
        """Ask for the end; a batch in hand is committed or not at all."""
        self._stopping.set()

    def look(self, now: datetime) -> int:
        """Tell of every step that is silent by now; how many. Raises the database's errors, and progress.ClaimLost."""
        found = 0
        while not self._stopping.is_set():
            with transaction(self._engine) as conn:
                subjects = store.silent(conn, now - SILENCE, BATCH)
                stalled = self._tell(conn, subjects, now) if subjects else 0
            found += stalled
            if not stalled:
                break
        return found

    def _tell(self, conn: Connection, subjects: list[str], now: datetime) -> int:
        """Under each person's own lock, in one order: a live event of theirs comes before or after, never between."""
        for subject in subjects:
            progress.lock(conn, (self._follows, subject))
        held = store.hold_silent(conn, now - SILENCE, subjects)
        drafts: list[Draft] = []
        for subject, step, correlation in held:
            at = step.last_at + SILENCE
            cause = Cause(correlation, step.last_event)
            drafts.append(derive(subject, StalledV1, step, at, step.at, cause, at.astimezone(UTC).isoformat()))
        if drafts:
            rows = Inserts()
            told = self._outbox.gather(rows, conn, drafts, now)
            first = store.take_positions(conn, len(told))
            store.add_derivations(rows, enumerate(told, first))
            store.save_steps(rows, {(subject, step.first): replace(step, stalled=True) for subject, step, _ in held})
            rows.write(conn)
        return len(drafts)

    def _run(self) -> None:
        while not self._stopping.is_set():
            pause = LOOK_SECONDS
            try:
                self.look(self._now())
            except (SQLAlchemyError, psycopg.Error, progress.ClaimLost) as error:
                pause = AGAIN_SECONDS
                log.warning("looking for silent steps waits %.0f s: %s", pause, type(error).__name__)
            self._stopping.wait(clock.pause(pause))
