"""Each event is applied once and in its subject's order, or stored with the reason why not; delivery never raises."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy import Connection, Engine

from jalons import clock
from jalons.database import transaction
from jalons.messaging import conflicts, dead_letters, progress, retrying
from jalons.messaging.items import Item, Record, of_entry, of_record, open_all
from jalons.messaging.outbox import Outbox
from jalons.messaging.outcomes import Done, Retry, outcome_of, where
from jalons.messaging.progress import Stream
from jalons.messaging.source_log import HoleInLog, LogUnavailable, SourceLog, events_after
from jalons.privacy.keys import Keys
from jalons.process import metrics
from schemas.envelope import Event

log = logging.getLogger(__name__)

_BACKOFF_LEAST, _BACKOFF_MOST = 0.05, 5.0


class Apply(Protocol):
    """A service's handler for events that are next in sequence. It writes in the caller's transaction only."""

    def __call__(self, conn: Connection, events: Sequence[Event], *, publish: bool = True) -> None:
        """Apply a batch. publish: whether derived events are appended to the outbox; a rebuild does not."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why the live loop's batch cannot be applied now, since when it waits (`time.monotonic()`), and where on Kafka it
    begins."""

    why: str
    since: float
    first: str

    def __str__(self) -> str:
        return f"{self.why}; the batch that waits begins at {self.first}"


class Streams:
    """Subjects by source, noted by several threads. Beyond a bound they are dropped: a sweep finds them again."""

    def __init__(self, most: int = 50_000) -> None:
        self._noted: dict[str, set[str]] = defaultdict(set)
        self._most = most
        self._lock = threading.Lock()

    def add(self, source: str, *subjects: str) -> None:
        """Note subjects."""
        with self._lock:
            if len(self._noted[source]) < self._most:
                self._noted[source].update(subjects)

    def take(self, source: str) -> set[str]:
        """The subjects noted since the last call."""
        with self._lock:
            return self._noted.pop(source, set())


@dataclass(slots=True)
class _Passed:
    """What one transaction did: each item's outcome, the items ahead of their sequence, those in
    conflict with what was applied under their sequence, the last sequence applied."""

    outcomes: list[tuple[Item, str]]
    gaps: list[Item]
    conflicts: list[Item]
    last: Mapping[Stream, int]


Observe = Callable[[Item, str], None]


@dataclass
class Deliver:
    """The only way an event enters a service: live records, gaps, the reconciler's and retried ones pass through here.

    logs: the logs of the sources whose events are applied, by source. others: sources whose records are dropped.
    observe: called with each item's outcome (applied, seen, waiting, set_aside, parked) after the commit.
    waiting: why the live loop waits; None while it does not. applied: whose events were applied since it was last
    taken.
    """

    service: str
    engine: Engine
    apply: Apply
    outbox: Outbox
    keys: Keys
    logs: Mapping[str, SourceLog]
    others: frozenset[str] = frozenset()
    observe: Observe = lambda _item, _outcome: None
    now: Callable[[], datetime] = clock.now
    stopping: threading.Event = field(default_factory=threading.Event)
    waiting: Waiting | None = None
    applied: Streams = field(default_factory=Streams)

    def __call__(self, records: Sequence[Record]) -> bool:
        """Deliver a batch. True: every record is applied or stored, durably, and may be acknowledged. False: stopping.

        For each record, in this order:
        1. its source is not followed (such as our own), by its header: dropped without decoding;
        2. undecodable, of an unknown type or version, or not in its source's numbering: set aside alone;
        3. its sequence was seen: dropped; if it was seen under another id, the source's log says which is right: that
           one is applied, and the other is set aside as forged;
        4. its subject is parked: stored as waiting, or dropped if it is the parked event itself;
        5. its sequence is ahead: the gap is fetched from its source, and both are applied;
        6. else applied. If that fails, it is parked and its subject waits; other subjects go on.
        """
        items = [self.item(record) for record in records if record.source not in self.others]
        backoff, begun = _BACKOFF_LEAST, time.monotonic()
        while not self.stopping.is_set():
            with metrics.DELIVER_SECONDS.labels(self.service).time():
                outcome = self.attempt(items)
            if isinstance(outcome, Done):
                self.waiting = None
                metrics.BATCH_WAITING.labels(self.service).set(0)
                return True
            self.waiting = Waiting(outcome.why, begun, f"{items[0].place}, {items[0].type}")
            metrics.BATCH_WAITING.labels(self.service).set(time.monotonic() - begun)
            metrics.EVENTS_DELIVERED.labels(self.service, "retried").inc(len(items))
            log.warning("a batch of %d waits %.2f s: %s", len(items), backoff, outcome.why)
            self.stopping.wait(max(backoff, outcome.after))
            backoff = min(backoff * 2, _BACKOFF_MOST)
        return False

    def item(self, record: Record) -> Item:
        """A record as `attempt` takes it."""
        return of_record(record, frozenset(self.logs))

    def attempt(self, items: Sequence[Item]) -> Done | Retry:
        """Try a batch once. If an event of it fails, the batch is halved until that event is alone, and parked."""
        if not items:
            return Done()
        try:
            opened = self.open(items)
            with transaction(self.engine) as conn:
                passed = self.take(conn, opened)
        except Exception as error:  # noqa: BLE001 - every error has an outcome: that is this function's promise
            return self._failed(items, error)
        for item, outcome in passed.outcomes:
            self.report(item, outcome)
        done: Done | Retry = Done(sum(outcome == "applied" for _, outcome in passed.outcomes))
        if passed.conflicts:
            done = _both(done, conflicts.settle(self, passed.conflicts))
        if passed.gaps and isinstance(done, Done):
            done = _both(done, self._fill(passed.gaps, passed.last))
        return done

    def open(self, items: Sequence[Item]) -> list[Item]:
        """The items with their events unsealed. Raises KeysUnavailable."""
        return open_all(items, self.keys)

    def report(self, item: Item, outcome: str) -> None:
        """Count what became of an item, and remember whose events were applied."""
        metrics.EVENTS_DELIVERED.labels(self.service, outcome).inc()
        self.observe(item, outcome)
        if outcome == "applied":
            self.applied.add(item.source, item.subject)

    def fetch(self, source: str, subject: str) -> int:
        """Apply what a source's log has of a subject beyond what was applied; how many events were applied.

        Tries once and leaves a parked subject alone. Raises LogUnavailable and database errors.
        """
        stream = (source, subject)
        with transaction(self.engine) as conn:
            row = progress.load(conn, {stream}).get(stream, progress.Progress())
        if row.parked:
            return 0
        entries = events_after(self.logs[source], source, subject, row.last)
        outcome = self.attempt([of_entry(entry) for entry in entries])
        return outcome.applied if isinstance(outcome, Done) else 0

    def retry(self, letter_id: UUID) -> str | None:
        """Try a dead letter again, and then what waits behind it, in order: see `retrying`."""
        return retrying.retry(self, letter_id)

    def take(self, conn: Connection, items: Sequence[Item]) -> _Passed:
        """Claim, then apply or store, in the caller's transaction."""
        claim = progress.claim(conn, [item for item in items if item.numbered])
        aside = [item for item in items if not item.numbered]
        for item in aside:
            dead_letters.set_aside(conn, self.outbox, item, item.flaw or "", self.now())
        dead_letters.add_waiting(conn, claim.waiting)
        events = [item.readable() for item in claim.ready]
        if events:
            self.apply(conn, events)
        outcomes = {
            "set_aside": aside,
            "seen": claim.seen,
            "waiting": claim.waiting,
            "applied": claim.ready,
        }
        reported = [(item, outcome) for outcome, those in outcomes.items() for item in those]
        return _Passed(reported, claim.gaps, claim.conflicts, claim.last)

    def _failed(self, items: Sequence[Item], error: Exception) -> Done | Retry:
        outcome = outcome_of(error)
        if isinstance(outcome, Retry):
            return outcome
        if len(items) == 1:
            return self._park(items[0], outcome.why)
        half = len(items) // 2
        first = self.attempt(items[:half])
        return first if isinstance(first, Retry) else _both(first, self.attempt(items[half:]))

    def _park(self, item: Item, why: str) -> Done | Retry:
        try:
            [item] = self.open([item])
            if item.erases and item.locked and not self.wrote(item):
                conflicts.disown(self, item, item.locked)
                return Done()
            with transaction(self.engine) as conn:
                if not item.numbered:
                    dead_letters.set_aside(conn, self.outbox, item, item.flaw or why, self.now())
                elif progress.park(conn, item):
                    dead_letters.park(conn, self.outbox, item, why, self.now())
                else:
                    dead_letters.add_waiting(conn, [item])
        except Exception as error:  # noqa: BLE001 - as above
            again = outcome_of(error)
            return again if isinstance(again, Retry) else Retry(1.0, f"could not park an event: {where(error)}")
        log.error("parked %s, sequence %d of its subject: %s", item.type, item.sequence, why)
        self.report(item, "parked")
        return Done()

    def wrote(self, item: Item) -> bool:
        """Whether its source's log has this item. Raises LogUnavailable."""
        entries = self.logs[item.source].after(item.subject, item.sequence - 1)
        return conflicts.wrote(entries, item)

    def _fill(self, gaps: Sequence[Item], last: Mapping[Stream, int]) -> Done | Retry:
        """Fetch what is missing before these items and apply both; set aside those that their source did not write."""
        ahead: dict[Stream, list[Item]] = defaultdict(list)
        for item in gaps:
            ahead[item.source, item.subject].append(item)
        filled: list[Item] = []
        for stream, items in ahead.items():
            source, subject = stream
            try:
                entries = events_after(self.logs[source], source, subject, last[stream])
            except HoleInLog as error:  # only its operator can mend that: nobody else waits for it
                filled += [item.flawed(str(error)) for item in items]
                continue
            except LogUnavailable as error:
                return Retry(1.0, str(error))
            known = {(entry.sequence, entry.id) for entry in entries}
            filled += [of_entry(entry) for entry in entries]
            filled += [item.not_in_its_log() for item in items if (item.sequence, item.id) not in known]
        return self.attempt(filled)


def _both(first: Done | Retry, second: Done | Retry) -> Done | Retry:
    if isinstance(first, Retry):
        return first
    return Done(first.applied + second.applied) if isinstance(second, Done) else second
