"""Acts on deadlines, on each once, however many loops run and wherever one of them is killed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from jalons import clock
from jalons.database import Busy, transact, transient
from jalons.messaging.outcomes import where
from jalons.process import metrics
from jalons.process.parts import Heartbeat, Part
from jalons.process.wiring import Ground
from jalons.web.identity import Principal
from services.referrals.acts.lifecycle import HUB
from services.referrals.deadlines import rows as deadlines
from services.referrals.deadlines.commands import fall_due
from services.referrals.directory import rows as directory
from services.referrals.persons.keys import PersonKeys
from services.referrals.work import Call, Hub, Work

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
"""The longest pause: a deadline may have been set since the last look, and a convention's end is obeyed in seconds."""
HELD_SECONDS = 1.0
"""The pause when everything due is locked by others."""
ASIDE_SECONDS = 600.0
"""How long a subject that failed is skipped before it is tried again; the metric shows it as overdue."""

_HUB = Principal(HUB, None, frozenset({"hub"}))


class ClockLoop:
    """Acts on what is due, one subject a transaction, due longest first: after a month off, the hub catches up in order
    while it takes partners' calls."""

    def __init__(
        self,
        ground: Ground,
        keys: PersonKeys,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self._ground = ground
        self._keys = keys
        self._now = now
        self._at: UUID | None = None
        self._aside: dict[UUID, float] = {}

    @property
    def part(self) -> Part:
        """The clock loop as a part of a process."""
        return Part("clock", self._run)

    def step(self) -> bool:
        """Act on one subject; False if nothing is due. Raises Busy and the errors of an absent database; after any
        other error the subject is skipped for a while."""
        self._at = None
        try:
            return transact(self._ground.engine, self._one)
        except Exception as error:
            if self._at is None or isinstance(error, Busy) or transient(error):
                raise
            self._aside[self._at] = time.monotonic() + ASIDE_SECONDS
            log.warning("what is due of %s is tried again in %.0f s: %s", self._at, ASIDE_SECONDS, where(error))
            return True

    def rest(self) -> float:
        """Seconds until the next deadline, at most LOOK_SECONDS; sets the metric of overdue deadlines."""
        oldest = transact(self._ground.engine, deadlines.oldest)
        ahead = (oldest - self._now()).total_seconds() if oldest else LOOK_SECONDS
        metrics.DEADLINES_OLDEST.labels(self._ground.name).set(max(0.0, -ahead))
        return min(LOOK_SECONDS, ahead if ahead > 0 else HELD_SECONDS)

    def _one(self, conn: Connection) -> bool:
        now = self._now()
        self._aside = {about: until for about, until in self._aside.items() if until > time.monotonic()}
        subject = deadlines.take(conn, now, self._aside)
        if subject is None:
            return False
        self._at = subject.about
        if subject.ref is None:
            directory.lock_name(conn, "directory", str(subject.about))
        due, call_id = deadlines.claim(conn, subject.about, now)
        if call_id is not None:
            work = Work(conn, Call(call_id, _HUB, now), Hub.of(self._ground, self._keys))
            fall_due(work, subject, due)
            work.append()
        return True

    def _run(self, heartbeat: Heartbeat) -> None:
        while not heartbeat.stopping.is_set():
            if self.step():
                heartbeat.beat()
            else:
                heartbeat.sleep(clock.pause(self.rest()))
