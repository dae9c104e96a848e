"""Applies what was read, each event once and in its subject's order, or keeps it with its reason; it never raises."""

from __future__ import annotations

import logging
import threading
import traceback
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy import Connection, Engine

from jalons import clock
from jalons.database import transaction, transient
from jalons.messaging import dead_letters, progress
from jalons.messaging.items import Entry, Item, Record, of_entry, of_record, open_all, read_again
from jalons.messaging.outbox import Outbox
from jalons.messaging.source_log import LogUnavailable, SourceLog
from jalons.privacy.keys import Keys, KeysUnavailable
from jalons.process import metrics
from schemas.envelope import Event

log = logging.getLogger(__name__)

_BACKOFF_LEAST, _BACKOFF_MOST = 0.05, 5.0
_OURS = ("/services/", "/schemas/", "/jalons/")


class Apply(Protocol):
    """What a service does with events that are in their turn; it writes in the caller's transaction only."""

    def __call__(self, conn: Connection, events: Sequence[Event], *, publish: bool = True) -> None:
        """Apply a batch. publish: whether what is derived goes to the outbox (a rebuild says no)."""


@dataclass(frozen=True, slots=True)
class Done:
    """Every record is applied or kept, durably."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Something passing; the batch is taken again after that many seconds."""

    after: float
    why: str


@dataclass(frozen=True, slots=True)
class Park:
    """This event cannot be applied as things stand; its subject stops here."""

    why: str


class Unreadable(Exception):
    """An event in its turn whose own source wrote what we cannot read."""


Observe = Callable[[Item, str], None]


@dataclass
class Deliver:
    """The one way by which an event comes into a service: live, gap, reconciler and retry all go through it.

    follows: the sources whose events are applied; logs: their own logs. observe: told of every record's outcome
    (applied, seen, waiting, set_aside, parked) after the commit. waiting: for which known trouble a batch waits now.
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
    waiting: str | None = None

    def __call__(self, records: Sequence[Record]) -> bool:
        """Deliver a batch; True: every record is applied or kept, durably, and may be acknowledged. False: stopping.

        For each record, in this order:
        1. of a source we do not follow (our own): dropped unread, by its header;
        2. undecodable, of an unknown type or version, or of no source's numbering: set aside alone, nobody waits;
        3. its subject parked: kept as waiting;
        4. its number seen: dropped, or set aside as a conflict if seen under another id;
        5. its number ahead: what is missing is fetched from its source, and both applied;
        6. else applied. If it cannot be, it is parked and its subject waits; everyone else goes on.
        """
        items = [of_record(record, frozenset(self.logs)) for record in records if record.source not in self.others]
        return self.persist(items)

    def persist(self, items: Sequence[Item]) -> bool:
        """Take a batch again until it is done or we are stopping."""
        backoff = _BACKOFF_LEAST
        while not self.stopping.is_set():
            with metrics.DELIVER_SECONDS.labels(self.service).time():
                outcome = self.attempt(items)
            self.waiting = outcome.why if isinstance(outcome, Retry) else None
            if isinstance(outcome, Done):
                return True
            metrics.EVENTS_DELIVERED.labels(self.service, "retried").inc(len(items))
            log.warning("a batch of %d waits %.2f s: %s", len(items), backoff, outcome.why)
            self.stopping.wait(max(backoff, outcome.after))
            backoff = min(backoff * 2, _BACKOFF_MOST)
        return False

    def attempt(self, items: Sequence[Item]) -> Done | Retry:
        """One pass over a batch; what fails for itself is narrowed down to the event to blame."""
        if not items:
            return Done()
        told: list[tuple[Item, str]] = []
        try:
            opened = open_all(items, self.keys)
            with transaction(self.engine) as conn:
                gaps, after = self._pass(conn, opened, told)
        except Exception as error:  # noqa: BLE001 - every error has an outcome: that is this function's promise
            return self._failed(items, error)
        for item, outcome in told:
            self._tell(item, outcome)
        return self._fill(gaps, after) if gaps else Done()

    def retry(self, letter_id: UUID) -> str | None:
        """Try a dead letter again; None if it is mended, else why not. What waits behind it follows, in order.

        Raises LookupError if there is none of that id that is open.
        """
        with transaction(self.engine) as conn:
            letter = dead_letters.found(conn, letter_id)
            if letter is None or letter.resolved is not None:
                raise LookupError
            kept = dead_letters.entry_of(conn, letter_id)
        if kept is None:
            return "its value was too large to keep"
        return self._retry_parked(letter, kept) if letter.kind == "parked" else self._retry_aside(letter, kept)

    def _pass(
        self, conn: Connection, items: Sequence[Item], told: list[tuple[Item, str]]
    ) -> tuple[list[Item], dict[progress.Stream, int]]:
        """Claim, then apply, all in the caller's transaction. Returns what is ahead of its turn, and after what."""
        claim = progress.claim(conn, [item for item in items if item.numbered])
        for item in items:
            if not item.numbered:
                self._set_aside(conn, item, item.flaw or "", told)
        for item in claim.conflicts:
            metrics.SEQUENCE_CONFLICTS.labels(self.service).inc()
            self._set_aside(conn, item, "its number was applied under another id", told)
        if claim.waiting:
            dead_letters.wait_behind(conn, claim.waiting)
        events = []
        for item in claim.ready:
            if item.event is None:
                raise Unreadable(item.flaw)
            events.append(item.event)
        if events:
            self.apply(conn, events)
        told += [(item, "seen") for item in claim.seen]
        told += [(item, "waiting") for item in claim.waiting]
        told += [(item, "applied") for item in claim.ready]
        return claim.gaps, claim.last

    def _set_aside(self, conn: Connection, item: Item, reason: str, told: list[tuple[Item, str]]) -> None:
        dead_letters.set_aside(conn, self.outbox, item, reason, self.now())
        told.append((item, "set_aside"))

    def _failed(self, items: Sequence[Item], error: Exception) -> Done | Retry:
        outcome = outcome_of(error)
        if isinstance(outcome, Retry):
            return outcome
        if len(items) == 1:
            return self._park(items[0], outcome.why)
        half = len(items) // 2
        first = self.attempt(items[:half])
        return first if isinstance(first, Retry) else self.attempt(items[half:])

    def _park(self, item: Item, why: str) -> Done | Retry:
        try:
            item = open_all([item], self.keys)[0]
            with transaction(self.engine) as conn:
                if not item.numbered:
                    dead_letters.set_aside(conn, self.outbox, item, item.flaw or why, self.now())
                elif progress.park(conn, item):
                    dead_letters.park(conn, self.outbox, item, why, self.now())
                else:
                    dead_letters.wait_behind(conn, [item])
        except Exception as error:  # noqa: BLE001 - as above
            return Retry(1.0, f"could not park an event: {where(error)}")
        log.error("parked %s number %d of its subject: %s", item.type, item.sequence, why)
        self._tell(item, "parked")
        return Done()

    def _fill(self, gaps: Sequence[Item], after: Mapping[progress.Stream, int]) -> Done | Retry:
        """Fetch what is missing before these, and take both; those that their source does not know are set aside."""
        wanted: dict[progress.Stream, list[Item]] = defaultdict(list)
        for item in gaps:
            wanted[item.source, item.subject].append(item)
        filled: list[Item] = []
        for (source, subject), ahead in wanted.items():
            try:
                entries = self.logs[source].after(subject, after[source, subject])
            except LogUnavailable as error:
                return Retry(1.0, str(error))
            if entries and entries[0].sequence != after[source, subject] + 1:
                return Retry(1.0, f"the log of {source} has a hole")
            known = {(entry.sequence, entry.id) for entry in entries}
            filled += self._fetched(entries)
            filled += [
                replace(item, flaw="not in its source's numbering", read=None)
                for item in ahead
                if (item.sequence, item.id) not in known
            ]
        return self.attempt(filled)

    def fetch(self, source: str, subjects: Collection[str]) -> int:
        """Apply what a source's log has of these subjects beyond what was applied; how many events that was.

        Raises LogUnavailable. A parked subject is left alone.
        """
        with transaction(self.engine) as conn:
            rows = progress.load(conn, {(source, subject) for subject in subjects})
        fetched = 0
        for subject in subjects:
            row = rows.get((source, subject), progress.Progress())
            if row.parked:
                continue
            items = self._fetched(self.logs[source].after(subject, row.last))
            if items and self.persist(items):
                fetched += len(items)
        return fetched

    def _fetched(self, entries: Sequence[Entry]) -> list[Item]:
        return [of_entry(entry) for entry in entries]

    def _retry_aside(self, letter: dead_letters.DeadLetter, kept: Item) -> str | None:
        item = read_again(kept, frozenset(self.logs))
        if item.flaw is None:
            outcome = self.attempt([item])
            reason = outcome.why if isinstance(outcome, Retry) else None
        else:
            reason = item.flaw
        with transaction(self.engine) as conn:
            if reason is None:
                dead_letters.resolve(conn, letter.id, self.now())
            else:
                dead_letters.failed_again(conn, letter.id, reason)
        return reason

    def _retry_parked(self, letter: dead_letters.DeadLetter, kept: Item) -> str | None:
        """Head and waiting events in one transaction, under the stream's lock: nothing slips in between."""
        stream = (letter.source or "", letter.subject or "")
        head = Entry(kept.source, kept.subject, kept.sequence, kept.id, kept.value or b"")
        try:
            with transaction(self.engine) as conn:
                progress.lock(conn, stream)
                progress.lift(conn, stream)
                behind = dead_letters.waiting_behind(conn, *stream)
                items = open_all(self._fetched([head, *behind]), self.keys)
                stopped = self._drain(conn, letter, items)
        except Exception as error:  # noqa: BLE001 - as above
            reason = outcome_of(error).why
            with transaction(self.engine) as conn:
                dead_letters.failed_again(conn, letter.id, reason)
            return reason
        return stopped

    def _drain(self, conn: Connection, letter: dead_letters.DeadLetter, items: Sequence[Item]) -> str | None:
        """Apply one by one; the first that fails is parked anew with the rest still behind it."""
        for item in items:
            told: list[tuple[Item, str]] = []
            try:
                with conn.begin_nested():
                    self._pass(conn, [item], told)
            except Exception as error:
                outcome = outcome_of(error)
                if isinstance(outcome, Retry) or item.sequence == letter.sequence:
                    raise
                dead_letters.resolve(conn, letter.id, self.now())
                dead_letters.waits_no_more(conn, item)
                progress.park(conn, item)
                dead_letters.park(conn, self.outbox, item, outcome.why, self.now())
                return f"mended, but number {item.sequence} behind it is parked: {outcome.why}"
            dead_letters.waits_no_more(conn, item)
        dead_letters.resolve(conn, letter.id, self.now())
        return None

    def _tell(self, item: Item, outcome: str) -> None:
        metrics.EVENTS_DELIVERED.labels(self.service, outcome).inc()
        self.observe(item, outcome)


def outcome_of(error: Exception) -> Retry | Park:
    """What an error means: a vanished server or a lost race passes, anything else is the event's own."""
    if isinstance(error, progress.ClaimLost):
        return Retry(0.02, "another worker was there first")
    if isinstance(error, KeysUnavailable):
        return Retry(0.5, "the keys could not be resolved")
    if transient(error):
        return Retry(0.5, f"the database is away or busy ({type(error).__name__})")
    if isinstance(error, Unreadable):
        return Park(str(error))
    return Park(f"the handler failed: {where(error)}")


def where(error: BaseException) -> str:
    """The error's name and the innermost line of ours: its message may hold what it was about, so it is left out."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if any(part in f.filename for part in _OURS)]
    if not frames:
        return type(error).__name__
    last = frames[-1]
    start = max(last.filename.rfind(part) for part in _OURS)
    return f"{type(error).__name__} at {last.filename[start + 1 :]}:{last.lineno}"
