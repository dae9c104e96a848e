"""Child processes are started in order, each once those before it are ready; one that ends is restarted.

One thread starts and watches all of them: Linux ends a child together with the *thread* that started it.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from jalons.embedded import CannotStart
from jalons.embedded.process import Process, forget, last_line, remember

FIRST_WAIT, LONGEST_WAIT, SETTLED = 1.0, 30.0, 60.0
STARTING_TICK, TICK = 0.05, 0.25
STOP_SECONDS = 14.0
FOR_SERVERS = 3.5  # of those, reserved for what was started first; a service gives itself 10

Report = Callable[[str], None]


def print_to_stderr(sentence: str) -> None:
    """Print a line to stderr."""
    print(sentence, file=sys.stderr, flush=True)  # noqa: T201 - the supervisor's messages


@dataclass(frozen=True)
class Spec:
    """How a child is started, checked and stopped. patience: seconds until it must be ready; once: it is ready when it
    has ended with exit code 0."""

    name: str
    launch: Callable[[], Process]
    ready: Callable[[], bool]
    log: Path
    stop_signal: int = signal.SIGTERM
    patience: float = 60.0
    once: bool = False


@dataclass
class Child:
    """A child and its current process, if any. stage: its place in the order of starting."""

    spec: Spec
    stage: int
    process: Process | None = None
    wanted: bool = True
    ready: bool = False
    failed: str | None = None
    due: float = 0.0
    started: float = 0.0
    wait: float = FIRST_WAIT
    deaths: int = 0

    @property
    def alive(self) -> bool:
        """Whether its process is running."""
        return self.process is not None and self.process.poll() is None


@dataclass
class Supervisor:
    """Starts, watches and stops children. With `restart` off, a child that ended stays down until started again."""

    run_dir: Path
    report: Report = print_to_stderr
    restart: bool = True
    children: dict[str, Child] = field(default_factory=dict, init=False)
    _changed: threading.Condition = field(default_factory=threading.Condition, init=False)
    _stopping: bool = field(default=False, init=False)
    _watcher: threading.Thread | None = field(default=None, init=False)

    def start(self, *specs: Spec) -> None:
        """Start children at the same time and wait until each is ready.

        Raises CannotStart when one ends or takes longer than its patience; `stop` stops those that run.
        """
        with self._changed:
            stage = 1 + max((child.stage for child in self.children.values()), default=0)
            started = [Child(spec, self._stage_of(spec.name, stage)) for spec in specs]
            self.children |= {child.spec.name: child for child in started}
            if self._watcher is None:
                self._watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)
                self._watcher.start()
            self._changed.notify_all()
            for child in started:
                self._await(child)

    def _stage_of(self, name: str, stage: int) -> int:
        """A child that is started again keeps its stage."""
        known = self.children.get(name)
        if known and known.alive:
            raise CannotStart(f"{name} runs already.", "Stop it first.")
        return known.stage if known else stage

    def _await(self, child: Child) -> None:
        patience = child.spec.patience
        if self._changed.wait_for(lambda: child.ready or child.failed is not None or self._stopping, patience):
            if child.ready:
                return
            how = child.failed or "was stopped"
        else:
            how = f"did not answer within {patience:.0f} s"
        child.wanted = False
        log = child.spec.log
        raise CannotStart(f"{child.spec.name} {how}. It last said: {last_line(log)}.", f"Its log is {log}.")

    def pid_of(self, name: str) -> int:
        """The id of a child's process. Raises LookupError if it is not running."""
        with self._changed:
            child = self.children.get(name)
            if child is None or child.process is None or not child.alive:
                raise LookupError(f"{name} is not running")
            return child.process.pid

    def kill(self, name: str, sig: int = signal.SIGKILL) -> None:
        """Send a signal to a child."""
        with self._changed:
            if (child := self.children.get(name)) and child.process:
                child.process.send_signal(sig)

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Stop all children, the last stage first. A child that does not end in its share of the time is killed."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
            stages = sorted({child.stage for child in self.children.values()}, reverse=True)
            deadline = time.monotonic() + seconds
            for place, stage in enumerate(stages):
                left = max(0.0, deadline - time.monotonic())
                share = left if place == len(stages) - 1 else max(0.0, left - FOR_SERVERS)
                self._stop_stage([one for one in self.children.values() if one.stage == stage], share)
        if self._watcher:
            self._watcher.join()

    def _stop_stage(self, children: Iterable[Child], seconds: float) -> None:
        running = [child for child in children if child.alive and child.process]
        for child in running:
            child.wanted = False
            _signal(child, child.spec.stop_signal)
        if not self._gone(running, seconds):
            for child in running:
                if child.alive:
                    self.report(f"{child.spec.name} did not stop in {seconds:.0f} s and is killed.")
                    _signal(child, signal.SIGKILL)
            self._gone(running, 2.0)

    def _gone(self, children: list[Child], seconds: float) -> bool:
        """Wait until they have ended; False after `seconds`."""
        return self._changed.wait_for(lambda: not any(child.alive for child in children), seconds)

    # The methods below run in the watching thread.

    def _watch(self) -> None:
        with self._changed:
            while not (self._stopping and not any(child.alive for child in self.children.values())):
                for child in list(self.children.values()):
                    self._look_at(child)
                starting = any(not child.ready and child.wanted for child in self.children.values())
                self._changed.notify_all()
                self._changed.wait(STARTING_TICK if starting or self._stopping else TICK)
            for child in self.children.values():
                if child.process is not None:
                    self._look_at(child)
            self._changed.notify_all()

    def _look_at(self, child: Child) -> None:
        now = time.monotonic()
        if child.process is None:
            if child.wanted and child.failed is None and now >= child.due and not self._stopping:
                self._launch(child, now)
        elif (code := child.process.poll()) is not None:
            self._bury(child, code, now)
        elif not child.ready and not child.spec.once and self._probe(child):
            child.ready = True
            if child.deaths:
                self.report(f"{child.spec.name} is back.")

    def _probe(self, child: Child) -> bool:
        """Check without holding the lock, so that a child that hangs can be stopped meanwhile."""
        self._changed.release()
        try:
            return child.spec.ready()
        finally:
            self._changed.acquire()

    def _launch(self, child: Child, now: float) -> None:
        try:
            child.process = child.spec.launch()
        except (OSError, CannotStart) as error:
            self._after_death(child, f"could not be started ({error})", now)
        else:
            child.started, child.ready = now, False
            with suppress(OSError):  # the record only serves the next start after a SIGKILL of this process
                remember(self.run_dir, child.spec.name, child.process.pid)

    def _bury(self, child: Child, code: int, now: float) -> None:
        child.process = None
        forget(self.run_dir, child.spec.name)
        if child.spec.once and code == 0:
            child.ready, child.wanted = True, False
            return
        if now - child.started >= SETTLED:
            child.wait = FIRST_WAIT
        self._after_death(child, f"ended ({_how(code)})", now)

    def _after_death(self, child: Child, how: str, now: float) -> None:
        first_start = not child.ready and not child.deaths
        child.ready = False
        if not child.wanted or self._stopping:
            return
        if first_start or child.spec.once or not self.restart:
            child.failed = how
            return
        child.deaths += 1
        child.due, waits = now + child.wait, child.wait
        child.wait = min(LONGEST_WAIT, child.wait * 2)
        self.report(f"{child.spec.name} {how}; starting it again in {waits:.0f} s. Its log is {child.spec.log}.")


def _signal(child: Child, sig: int) -> None:
    if child.process:
        with suppress(ProcessLookupError):
            child.process.send_signal(sig)


def _how(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
