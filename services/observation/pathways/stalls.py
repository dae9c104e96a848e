"""Publishes, once, that a step has stalled: 90 days without activity. Several processes may look at the same time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Engine

from jalons import clock
from jalons.database import transaction
from jalons.messaging import progress
from jalons.messaging.outbox import Cause, Outbox
from jalons.process.parts import Heartbeat, Part
from schemas.pathway import StalledV1
from services.observation.pathways import rows
from services.observation.pathways.apply import derive
from services.observation.stream.rows import add_derivations, take_positions

SILENCE = timedelta(days=90)
LOOK_SECONDS = 3600.0
BATCH = 50
"""Persons locked at once: their live events wait until the batch is committed."""


class Stalls:
    """The part that publishes stalled steps, once an hour. follows: the source whose progress locks a person."""

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

    def _run(self, heartbeat: Heartbeat) -> None:
        while not heartbeat.stopping.is_set():
            if self._batch(self._now()):
                heartbeat.beat()
            else:
                heartbeat.sleep(clock.pause(LOOK_SECONDS))
