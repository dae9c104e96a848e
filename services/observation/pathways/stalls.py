"""A step without any event for 90 days is said once to have stalled, whoever looks and however often."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Engine

from jalons import clock
from jalons.database import transaction
from jalons.inserts import Inserts
from jalons.messaging import progress
from jalons.messaging.outbox import Cause, Draft, Outbox
from jalons.process.parts import Heartbeat, Part
from schemas.pathway import StalledV1
from services.observation.pathways import rows as store
from services.observation.pathways.apply import derive

SILENCE = timedelta(days=90)
LOOK_SECONDS = 3600.0
BATCH = 50
"""Persons held at once: their live events wait until the batch is committed."""


class Stalls:
    """The part that looks for silent steps, once an hour. follows: the source whose progress is a person's lock."""

    def __init__(self, engine: Engine, outbox: Outbox, follows: str, now: Callable[[], datetime] = clock.now) -> None:
        self._engine = engine
        self._outbox = outbox
        self._follows = follows
        self._now = now

    @property
    def part(self) -> Part:
        """The search for silent steps as a part of a process."""
        return Part("stalls", self._run, passing=(progress.ClaimLost,))

    def look(self, now: datetime) -> int:
        """Tell of every step that is silent by now; how many. Raises the database's errors, and progress.ClaimLost."""
        found = 0
        while stalled := self._batch(now):
            found += stalled
        return found

    def _batch(self, now: datetime) -> int:
        with transaction(self._engine) as conn:
            subjects = store.silent(conn, now - SILENCE, BATCH)
            return self._tell(conn, subjects, now) if subjects else 0

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

    def _run(self, heartbeat: Heartbeat) -> None:
        while not heartbeat.stopping.is_set():
            if self._batch(self._now()):
                heartbeat.beat()
            else:
                heartbeat.sleep(clock.pause(LOOK_SECONDS))
