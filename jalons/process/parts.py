"""Everything a process does beside HTTP is a part: restarted after an error, watched for silence, never lost unnoticed.

A part is a function in a thread of its own. The runner calls it again, with backoff, after every error. A part that
stays silent or keeps failing is reported by `degraded()`; one that cannot go on ends the process, whose own supervisor
(`jalons up`, compose, Kubernetes) starts a fresh one.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from jalons.database import Busy, transient
from jalons.messaging.outcomes import where
from jalons.process import metrics

log = logging.getLogger(__name__)

SILENT_SECONDS = 60.0
"""A part without a heartbeat for this long, or that has only failed for this long, is degraded."""
GIVE_UP_SECONDS = 600.0
"""A part that has been silent, or has failed for reasons nobody foresaw, for this long ends the process."""
CHECK_SECONDS = 5.0
_BACKOFF_LEAST, _BACKOFF_MOST = 0.2, 5.0


class CannotGoOn(Exception):
    """A part cannot do its work in this process. The text says why; code: the process's exit code."""

    def __init__(self, why: str, code: int = 70) -> None:
        super().__init__(why)
        self.code = code


def end_process(code: int = 70) -> None:
    """End at once, without cleaning up: everything that has to survive is in PostgreSQL or Kafka."""
    logging.shutdown()
    os._exit(code)


class Heartbeat:
    """Passed to a running part: it says when to stop, and records that the part is alive and makes progress.

    A part calls `beat` after each pass that succeeded. At most `patience` seconds may lie between two beats, plus those
    that the last beat announced.
    """

    def __init__(
        self,
        stopping: threading.Event,
        wakeup: threading.Event,
        excused: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
        patience: float = SILENT_SECONDS,
    ) -> None:
        self.stopping = stopping
        self._wakeup = wakeup
        self._excused = excused
        self._patience = patience
        self._clock = clock
        self._expected = clock()
        self._failing: tuple[float, str] | None = None
        self._unforeseen_since: float | None = None
        self.backoff = _BACKOFF_LEAST

    def beat(self, seconds: float = 0.0) -> None:
        """Report a successful pass. seconds: how long the part will now sleep."""
        self._expected = self._clock() + seconds
        self._failing = self._unforeseen_since = None
        self.backoff = _BACKOFF_LEAST

    def sleep(self, seconds: float) -> None:
        """Beat, then sleep; setting the part's `wakeup` ends the sleep early."""
        self.beat(seconds)
        if not self.stopping.is_set():
            self._wakeup.wait(seconds)
        self._wakeup.clear()

    def failed(self, reason: str, *, foreseen: bool) -> None:
        """Record an error: the part is alive but made no progress. foreseen: a dependency is away."""
        self._expected = self._clock()
        since = self._failing[0] if self._failing else self._expected
        self._failing = (since, reason)
        if foreseen:
            self._unforeseen_since = None
        elif self._unforeseen_since is None:
            self._unforeseen_since = self._expected

    @property
    def failing(self) -> str | None:
        """Why the last pass failed; None if it succeeded."""
        return self._failing[1] if self._failing else None

    def trouble(self) -> str | None:
        """What is wrong with the part, in a sentence; None if it works."""
        now = self._clock()
        if self._failing and now - self._failing[0] >= SILENT_SECONDS:
            return f"it has failed for {now - self._failing[0]:.0f} s: {self._failing[1]}"
        if now - self._expected >= self._patience:
            return f"it has not reported for {now - self._expected:.0f} s"
        return None

    def lost(self) -> str | None:
        """Why the process must end for this part; None while it may recover."""
        now = self._clock()
        if self._unforeseen_since is not None and now - self._unforeseen_since >= GIVE_UP_SECONDS:
            return f"it has failed for {now - self._unforeseen_since:.0f} s for reasons nobody foresaw"
        if now - self._expected >= max(GIVE_UP_SECONDS, self._patience) and not self._excused():
            return f"it has not reported for {now - self._expected:.0f} s"
        return None


@dataclass(frozen=True)
class Part:
    """Something that works beside HTTP.

    run: works until `heartbeat.stopping` is set, and then returns within seconds; it may raise. passing: errors that
    mean that a dependency is away, besides those of the database and the network; they never end the process. excused:
    whether the part's silence has a known cause. delay: seconds before it first runs. patience: seconds that one pass
    may take. wakeup: ends `heartbeat.sleep` early; set when the process stops.
    """

    name: str
    run: Callable[[Heartbeat], None]
    passing: tuple[type[Exception], ...] = ()
    excused: Callable[[], bool] = lambda: False
    delay: float = 0.0
    patience: float = SILENT_SECONDS
    wakeup: threading.Event = field(default_factory=threading.Event)


def repeated(once: Callable[[], float]) -> Callable[[Heartbeat], None]:
    """A part's `run` made of rounds. once: does one, and returns the seconds until the next."""

    def run(heartbeat: Heartbeat) -> None:
        while not heartbeat.stopping.is_set():
            heartbeat.sleep(once())

    return run


@dataclass(frozen=True)
class Condition:
    """Something outside the parts that degrades a service. reasons: what is wrong now; one that has held for `seconds`
    without interruption is reported."""

    name: str
    reasons: Callable[[], Collection[str]]
    seconds: float = 0.0


class Parts:
    """The runner of a process's parts. end_process: called with an exit code when a part cannot go on."""

    def __init__(
        self,
        service: str,
        end_process: Callable[[int], None] = end_process,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stopping = threading.Event()
        self._service = service
        self._end_process = end_process
        self._clock = clock
        self._parts = [Part("monitor", repeated(self._monitor))]
        self._conditions: list[Condition] = []
        self._since: dict[tuple[str, str], float] = {}
        self._heartbeats: dict[str, Heartbeat] = {}
        self._threads: list[threading.Thread] = []
        self._reported: set[str] = set()
        self._lost: dict[str, str] = {}

    def add(self, *parts: Part) -> None:
        """Parts to be started."""
        self._parts += parts

    def __getitem__(self, name: str) -> Part:
        """The part of that name. Raises KeyError if there is none."""
        return {part.name: part for part in self._parts}[name]

    @property
    def names(self) -> set[str]:
        """Every name that `degraded` may give for what was added."""
        return {part.name for part in self._parts} | {condition.name for condition in self._conditions}

    def watch(self, *conditions: Condition) -> None:
        """Conditions to be sampled every few seconds."""
        self._conditions += conditions

    def start(self) -> None:
        """Start every part's thread; waits for no server."""
        for part in self._parts:
            heartbeat = self._heartbeats[part.name] = Heartbeat(
                self.stopping, part.wakeup, part.excused, self._clock, part.patience
            )
            thread = threading.Thread(target=self._keep, args=(part, heartbeat), name=part.name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def heartbeat(self, name: str) -> Heartbeat:
        """A heartbeat for what runs as a task of the event loop. It is watched like those of the parts."""
        self._heartbeats[name] = Heartbeat(self.stopping, threading.Event(), clock=self._clock)
        return self._heartbeats[name]

    def stop(self, seconds: float = 5.0) -> None:
        """Ask all parts to stop, and wait for them that long in total."""
        self.stopping.set()
        for part in self._parts:
            part.wakeup.set()
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def degraded(self) -> dict[str, str]:
        """What does not work as it should, by part or condition, in a sentence; empty if everything does."""
        found = {
            name: trouble for name, heartbeat in list(self._heartbeats.items()) if (trouble := heartbeat.trouble())
        }
        now = self._clock()
        for condition in self._conditions:
            held = {why: since for (name, why), since in self._since.items() if name == condition.name}
            if lasting := sorted(why for why, since in held.items() if now - since >= condition.seconds):
                found[condition.name] = "; ".join(lasting)
        return found

    def _keep(self, part: Part, heartbeat: Heartbeat) -> None:
        """Run a part until the stop: every error is logged and the part tried again, or the process ends."""
        try:
            heartbeat.sleep(part.delay)
            while not self.stopping.is_set():
                self._run_once(part, heartbeat)
        except CannotGoOn as error:
            self._give_up(part.name, str(error), error.code)
        except BaseException as error:
            self._give_up(part.name, where(error))
            raise

    def _run_once(self, part: Part, heartbeat: Heartbeat) -> None:
        try:
            part.run(heartbeat)
        except CannotGoOn:
            raise
        except Exception as error:  # noqa: BLE001 - a part that died silently would never do its work again
            foreseen = transient(error) or isinstance(error, (Busy, OSError, *part.passing))
            self._failed(part, heartbeat, type(error).__name__ if foreseen else where(error), foreseen=foreseen)
        else:
            if not self.stopping.is_set():
                self._failed(part, heartbeat, "it returned by itself", foreseen=False)

    def _failed(self, part: Part, heartbeat: Heartbeat, reason: str, *, foreseen: bool) -> None:
        """Log the error's type and place, never its text, which may hold data of persons; wait before the next try."""
        if heartbeat.failing != reason:
            level = logging.WARNING if foreseen else logging.ERROR
            log.log(level, "%s failed and is tried again: %s", part.name, reason)
        heartbeat.failed(reason, foreseen=foreseen)
        self.stopping.wait(heartbeat.backoff)
        heartbeat.backoff = min(heartbeat.backoff * 2, _BACKOFF_MOST)

    def _monitor(self) -> float:
        """Sample the conditions, set the metric, and end the process for a part that is lost."""
        self._sample()
        degraded = self.degraded()
        for name in degraded.keys() | self._reported:
            metrics.DEGRADED.labels(self._service, name).set(name in degraded)
        for name in degraded.keys() - self._reported:
            log.warning("degraded: %s: %s", name, degraded[name])
        for name in self._reported - degraded.keys():
            log.info("no longer degraded: %s", name)
        self._reported = set(degraded)
        lost = {name: reason for name, heartbeat in list(self._heartbeats.items()) if (reason := heartbeat.lost())}
        for name in lost.keys() & self._lost.keys():  # twice in a row: the process may only just have been resumed
            self._give_up(name, lost[name])
        self._lost = lost
        return CHECK_SECONDS

    def _sample(self) -> None:
        now = self._clock()
        held = {(each.name, reason) for each in self._conditions for reason in each.reasons()}
        self._since = {each: self._since.get(each, now) for each in held}

    def _give_up(self, name: str, reason: str, code: int = 70) -> None:
        if not self.stopping.is_set():
            log.error("%s cannot go on: %s; ending the process", name, reason)
            self._end_process(code)
