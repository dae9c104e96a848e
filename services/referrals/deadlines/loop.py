"""Does what falls due, each thing once: whoever runs it, however many run it, and wherever one of them is killed."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from jalons import clock
from jalons.database import Busy, transact, transient
from jalons.messaging.deliver import where
from jalons.process import metrics
from jalons.process.wiring import Ground
from jalons.web.identity import Principal
from services.referrals.acts.lifecycle import HUB
from services.referrals.deadlines import rows as deadlines
from services.referrals.deadlines.commands import fall_due
from services.referrals.directory import rows as directory
from services.referrals.persons.keys import PersonKeys
from services.referrals.work import Call, Hub, Work

log = logging.getLogger(__name__)

LOOK_SECONDS = 30.0
"""It wakes when the next deadline falls due, and at least so often: one may have been set meanwhile."""
HELD_SECONDS = 1.0
"""After meeting persons whom somebody else holds."""
ASIDE_SECONDS = 600.0
"""What could not be done is tried again after so long, and holds up nobody meanwhile; the metric tells of it."""

_HUB = Principal(HUB, None, frozenset({"hub"}))


class ClockLoop:
    """The part of referrals that acts for the hub. One act at a time, each in a transaction of its own, those due
    longest first: a hub that was off for a month works it off in order, while partners' calls go on."""

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
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="clock", daemon=True)

    def start(self) -> None:
        """Begin; the first look is at once, and waits for the database by itself."""
        self._thread.start()

    def stop(self, seconds: float = 5.0) -> None:
        """Ask for the end after the act in hand, and wait that long for it."""
        self._stopping.set()
        self._thread.join(seconds)

    def step(self) -> bool:
        """Deal with one act of which something is due; False if there is none. Raises what the database raises while
        it is away or busy; what else goes wrong is that act's, which is left aside."""
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
        """Seconds until there is something to do, at most until the next look; says in the metric what is overdue."""
        oldest = transact(self._ground.engine, deadlines.oldest)
        ahead = (oldest - self._now()).total_seconds() if oldest else LOOK_SECONDS
        metrics.DEADLINES_OLDEST.labels(self._ground.name).set(max(0.0, -ahead))
        return min(LOOK_SECONDS, ahead if ahead > 0 else HELD_SECONDS)

    def _one(self, conn: Connection) -> bool:
        now = self._now()
        self._aside = {about: until for about, until in self._aside.items() if until > time.monotonic()}
        waiting = deadlines.take(conn, now, self._aside)
        if waiting is None:
            return False
        self._at = waiting.about
        if waiting.ref is None:
            directory.lock_name(conn, "directory", str(waiting.about))
        due, call_id = deadlines.claim(conn, waiting.about, now)
        if call_id is not None:
            work = Work(conn, Call(call_id, _HUB, now), Hub.of(self._ground, self._keys))
            fall_due(work, waiting, due)
            work.append()
        return True

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                while not self._stopping.is_set() and self.step():
                    pass
                pause = self.rest()
            except Exception as error:  # noqa: BLE001 - a thread that ends would forget every deadline
                pause = HELD_SECONDS
                log.warning("deadlines wait: %s", where(error))
            self._stopping.wait(clock.pause(pause))
