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
from sqlalchemy.exc import SQLAlchemyError

from jalons import clock
from jalons.database import transaction
from jalons.messaging import dead_letters, progress
from jalons.messaging.dead_letters import DeadLetter
from jalons.messaging.items import Item, Record, of_entry, of_record, open_all, read_again
from jalons.messaging.outbox import Outbox
from jalons.messaging.outcomes import Done, Retry, Unreadable, outcome_of, where
from jalons.messaging.progress import Stream
from jalons.messaging.source_log import HoleInLog, LogUnavailable, SourceLog, contiguous, events_after
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


@dataclass(slots=True)
class _Passed:
    """What one transaction did: each item's outcome, the items ahead of their sequence, the last sequence applied."""

    outcomes: list[tuple[Item, str]]
    gaps: list[Item]
    last: Mapping[Stream, int]


Observe = Callable[[Item, str], None]


@dataclass
class Deliver:
    """The only way an event enters a service: live records, gaps, the reconciler's and retried ones pass through here.

    logs: the logs of the sources whose events are applied, by source. others: sources whose records are dropped.
    observe: called with each item's outcome (applied, seen, waiting, set_aside, parked) after the commit.
    waiting: why the live loop waits; None while it does not.
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

    def __call__(self, records: Sequence[Record]) -> bool:
        """Deliver a batch. True: every record is applied or stored, durably, and may be acknowledged. False: stopping.

        For each record, in this order:
        1. its source is not followed (such as our own), by its header: dropped without decoding;
        2. undecodable, of an unknown type or version, or not in its source's numbering: set aside alone;
        3. its sequence was seen: dropped, or set aside as a conflict if it was seen under another id;
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
            opened = open_all(items, self.keys)
            with transaction(self.engine) as conn:
                passed = self._pass(conn, opened)
        except Exception as error:  # noqa: BLE001 - every error has an outcome: that is this function's promise
            return self._failed(items, error)
        for item, outcome in passed.outcomes:
            self._report(item, outcome)
        applied = sum(outcome == "applied" for _, outcome in passed.outcomes)
        return _both(Done(applied), self._fill(passed.gaps, passed.last)) if passed.gaps else Done(applied)

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
        """Try a dead letter again, and then what waits behind it, in order. None: resolved; else the reason why not.

        Raises LookupError if there is no open dead letter of that id.
        """
        with transaction(self.engine) as conn:
            letter = dead_letters.find(conn, letter_id)
            if letter is None or letter.resolved is not None:
                raise LookupError
            stored = dead_letters.stored_item(conn, letter_id)
        if stored is None:
            return "its value was too large to keep"
        return self._retry_parked(letter, stored) if letter.kind == "parked" else self._retry_aside(letter, stored)

    def _pass(self, conn: Connection, items: Sequence[Item]) -> _Passed:
        """Claim, then apply or store, in the caller's transaction."""
        claim = progress.claim(conn, [item for item in items if item.numbered])
        aside = [item for item in items if not item.numbered]
        for item in aside:
            dead_letters.set_aside(conn, self.outbox, item, item.flaw or "", self.now())
        for item in claim.conflicts:
            metrics.SEQUENCE_CONFLICTS.labels(self.service).inc()
            dead_letters.set_aside(conn, self.outbox, item, "its number was applied under another id", self.now())
        dead_letters.add_waiting(conn, claim.waiting)
        events = []
        for item in claim.ready:
            if item.event is None:
                raise Unreadable(item.flaw or item.locked)
            events.append(item.event)
        if events:
            self.apply(conn, events)
        outcomes = {
            "set_aside": [*aside, *claim.conflicts],
            "seen": claim.seen,
            "waiting": claim.waiting,
            "applied": claim.ready,
        }
        reported = [(item, outcome) for outcome, those in outcomes.items() for item in those]
        return _Passed(reported, claim.gaps, claim.last)

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
            item = open_all([item], self.keys)[0]
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
        self._report(item, "parked")
        return Done()

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

    def _retry_aside(self, letter: DeadLetter, stored: Item) -> str | None:
        item = read_again(stored, frozenset(self.logs))
        reason = item.flaw
        if reason is None:
            outcome = self.attempt([item])
            reason = outcome.why if isinstance(outcome, Retry) else None
        with transaction(self.engine) as conn:
            if reason is None:
                dead_letters.resolve(conn, letter.id, self.now())
            else:
                dead_letters.count_failed_retry(conn, letter.id, reason)
        if reason is None:
            self._catch_up(item.source, item.subject)
        return reason

    def _catch_up(self, source: str, subject: str) -> None:
        try:
            self.fetch(source, subject)
        except (LogUnavailable, SQLAlchemyError) as error:
            log.info("what follows a retried event is left to the reconciler: %s", type(error).__name__)

    def _retry_parked(self, letter: DeadLetter, stored: Item) -> str | None:
        """Apply the parked event and all behind it in one transaction, with the stream locked against live delivery."""
        stream = (stored.source, stored.subject)
        try:
            with transaction(self.engine) as conn:
                progress.lock(conn, stream)
                current = dead_letters.find(conn, letter.id)
                if current is None or current.resolved is not None:
                    return None  # resolved by another retry while this one waited for the lock
                behind = self._behind(conn, stored)
                progress.lift(conn, stream)
                items = [of_entry(stored.entry), *behind]
                return self._drain(conn, letter, open_all(items, self.keys))
        except Exception as error:  # noqa: BLE001 - as above
            reason = outcome_of(error).why
            with transaction(self.engine) as conn:
                dead_letters.count_failed_retry(conn, letter.id, reason)
            return reason

    def _behind(self, conn: Connection, parked: Item) -> list[Item]:
        """The events behind a parked one without a gap: what its source's log has, all of it stored as waiting.

        A waiting event that the source did not write is set aside. If the source is away, what waits is enough as long
        as it has no gap; else raises LogUnavailable.
        """
        waiting = dead_letters.waiting_behind(conn, parked.source, parked.subject)
        try:
            entries = events_after(self.logs[parked.source], parked.source, parked.subject, parked.sequence)
        except LogUnavailable:
            if not contiguous(parked.sequence, [item.sequence for item in waiting]):
                raise
            return [of_entry(item.entry) for item in waiting]
        known = {(entry.sequence, entry.id) for entry in entries}
        strange = [item.not_in_its_log() for item in waiting if (item.sequence, item.id) not in known]
        for item in strange:
            dead_letters.set_aside(conn, self.outbox, item, item.flaw or "", self.now())
        dead_letters.remove_waiting(conn, strange)
        items = [of_entry(entry) for entry in entries]
        dead_letters.add_waiting(conn, items)
        return items

    def _drain(self, conn: Connection, letter: DeadLetter, items: Sequence[Item]) -> str | None:
        """Apply one by one. The first behind the letter's that fails is parked in its place, the rest still waiting."""
        for item in items:
            try:
                with conn.begin_nested():
                    self._pass(conn, [item])
            except Exception as error:
                outcome = outcome_of(error)
                if isinstance(outcome, Retry) or item.sequence == letter.sequence:
                    raise
                dead_letters.resolve(conn, letter.id, self.now())
                dead_letters.remove_waiting(conn, [item])
                progress.park(conn, item)
                dead_letters.park(conn, self.outbox, item, outcome.why, self.now())
                return f"mended, but number {item.sequence} behind it is parked: {outcome.why}"
            dead_letters.remove_waiting(conn, [item])
        dead_letters.resolve(conn, letter.id, self.now())
        return None

    def _report(self, item: Item, outcome: str) -> None:
        metrics.EVENTS_DELIVERED.labels(self.service, outcome).inc()
        self.observe(item, outcome)


def _both(first: Done, second: Done | Retry) -> Done | Retry:
    return Done(first.applied + second.applied) if isinstance(second, Done) else second
