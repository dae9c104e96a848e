"""What was applied is compared with each source's log, by position: Kafka's offsets are not trusted."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.postgresql import insert

from jalons.database import transaction
from jalons.messaging import conflicts, dead_letters, progress
from jalons.messaging.deliver import Deliver
from jalons.messaging.source_log import Applied, LogUnavailable, digest_of
from jalons.messaging.tables import reconciled
from jalons.process import metrics
from jalons.process.parts import Heartbeat, Part

log = logging.getLogger(__name__)

PAGE = 500
"""Subjects that each round compares of all that was ever applied."""


@dataclass(slots=True)
class _Unsettled:
    """A subject that is behind its source. before: a position before its first missing event; sequence: its newest."""

    before: int
    sequence: int


class Reconciler:
    """Finds subjects whose last applied sequence is behind their source's log, and applies what is missing.

    A subject that is behind stays unsettled until everything seen of it is applied: also while it is parked, or cannot
    be fetched. The stored position stays before the first unsettled subject; a new process compares from there. A
    running one compares each position once, and the unsettled subjects again in each round.
    """

    def __init__(self, deliver: Deliver, seconds: float) -> None:
        self._deliver = deliver
        self._seconds = seconds
        self._stopping = deliver.stopping
        self._compared: dict[str, int] = {}
        self._unsettled: dict[str, dict[str, _Unsettled]] = defaultdict(dict)
        self._swept: dict[str, str] = {}
        self._unknown: list[str] = []

    @property
    def part(self) -> Part:
        """The reconciler as a part of a process."""
        return Part(
            "reconciler",
            self._run,
            passing=(LogUnavailable,),
            excused=lambda: self._deliver.waiting is not None,
            delay=self._seconds,
        )

    def _run(self, heartbeat: Heartbeat) -> None:
        while not heartbeat.stopping.is_set():
            self.round(heartbeat.beat)
            heartbeat.sleep(self._seconds)

    def round(self, beat: Callable[[], None] = lambda: None) -> int:
        """What is done each period: set the gauges, then fetch what was missing in the previous round already.

        So live delivery has a whole period to apply an event before it counts as missing. Returns and raises as `look`.
        beat: called after each page and each subject.
        """
        self.measure()
        applied = self.look(beat, settling=True)
        self.ask(beat)
        self.measure()
        return applied

    def ask(self, beat: Callable[[], None] = lambda: None) -> int:
        """Ask each source about what was applied since the last call, and about the next page of all that was ever
        applied; what a source does not know is named. Returns how many events. Raises as `look`.

        Only numbers and digests are sent. What a source knows otherwise is applied as it knows it.
        """
        found = 0
        for source, log_ in self._deliver.logs.items():
            recent = self._deliver.applied.take(source)
            try:
                with transaction(self._deliver.engine) as conn:
                    page = progress.page(conn, source, self._swept.get(source, ""), PAGE)
                    rows = progress.load(conn, {(source, subject) for subject in {*recent, *page}})
                applied = [
                    Applied(subject, row.last, digest_of(row.seen)) for (_, subject), row in rows.items() if row.last
                ]
                for subject in log_.differing(applied):
                    found += conflicts.compare(self._deliver, source, subject)
                    beat()
            except Exception:
                self._deliver.applied.add(source, *recent)  # they are asked about again
                raise
            self._swept[source] = page[-1] if len(page) == PAGE else ""
        if found:
            log.error("%d events were applied that their source did not write: see dead letters", found)
        return found

    def unknown(self) -> list[str]:
        """What was applied or came without its source, as a reason to be degraded; empty if there is nothing."""
        return self._unknown

    def look(self, beat: Callable[[], None] = lambda: None, *, settling: bool = False) -> int:
        """Compare with every source and fetch what is missing; how many events were missing and are now applied.

        settling: fetch only what an earlier round has seen missing. Raises database errors at once, and LogUnavailable
        when all sources were tried.
        """
        applied = 0
        away: LogUnavailable | None = None
        for source in self._deliver.logs:
            earlier = set(self._unsettled[source])
            try:
                self._compare(source, beat)
            except LogUnavailable as error:
                away = error
                continue
            applied += self._fetch(source, earlier if settling else set(self._unsettled[source]), beat)
            self._settle(source)
        if away is not None:
            raise away
        return applied

    def measure(self) -> None:
        """Set the gauges of open dead letters and parked subjects."""
        with transaction(self._deliver.engine) as conn:
            letters, parked, forged = dead_letters.count_open(conn)
            first = dead_letters.first_forged(conn)
        metrics.DEAD_LETTERS_OPEN.labels(self._deliver.service).set(letters)
        metrics.SUBJECTS_PARKED.labels(self._deliver.service).set(parked)
        metrics.FORGED_OPEN.labels(self._deliver.service).set(forged)
        self._unknown = (
            [f"its source did not write {first.type or 'an event'}: dead letter {first.id}"] if first else []
        )

    def _compare(self, source: str, beat: Callable[[], None]) -> None:
        """Note as unsettled every subject that is behind, page by page to the end of the log."""
        unsettled = self._unsettled[source]
        if source not in self._compared:
            with transaction(self._deliver.engine) as conn:
                self._compared[source] = _stored_position(conn, source)
        while not self._stopping.is_set():
            position = self._compared[source]
            heads = self._deliver.logs[source].heads(position)
            if not heads:
                return
            last = self._last_applied(source, {head.subject for head in heads})
            for head in heads:
                if last.get(head.subject, 0) < head.sequence:
                    behind = unsettled.setdefault(head.subject, _Unsettled(position, head.sequence))
                    behind.sequence = max(behind.sequence, head.sequence)
            self._compared[source] = max(head.position for head in heads)
            beat()

    def _fetch(self, source: str, subjects: set[str], beat: Callable[[], None]) -> int:
        applied = helped = 0
        self._drop_settled(source)
        for subject in sorted(subjects & self._unsettled[source].keys()):
            if self._stopping.is_set():
                break
            try:
                number = self._deliver.fetch(source, subject)
            except LogUnavailable as error:
                log.info("a subject stays unsettled: %s", error)
                continue
            applied += number
            helped += number > 0
            beat()
        if applied:
            metrics.RECONCILED.labels(self._deliver.service).inc(applied)
            log.warning("applied %d events of %d subjects that had not arrived through Kafka", applied, helped)
        return applied

    def _settle(self, source: str) -> None:
        """Store the position before which nothing is missing."""
        self._drop_settled(source)
        first = min((each.before for each in self._unsettled[source].values()), default=self._compared[source])
        with transaction(self._deliver.engine) as conn:
            _store_position(conn, source, first)

    def _drop_settled(self, source: str) -> None:
        unsettled = self._unsettled[source]
        last = self._last_applied(source, set(unsettled))
        self._unsettled[source] = {
            subject: each for subject, each in unsettled.items() if last.get(subject, 0) < each.sequence
        }

    def _last_applied(self, source: str, subjects: set[str]) -> dict[str, int]:
        with transaction(self._deliver.engine) as conn:
            rows = progress.load(conn, {(source, subject) for subject in subjects})
        return {subject: row.last for (_, subject), row in rows.items()}


def _stored_position(conn: Connection, source: str) -> int:
    return conn.scalar(select(reconciled.c.position).where(reconciled.c.source == source)) or 0


def _store_position(conn: Connection, source: str, position: int) -> None:
    new = insert(reconciled).values(source=source, position=position)
    furthest = func.greatest(reconciled.c.position, new.excluded.position)
    conn.execute(new.on_conflict_do_update(index_elements=[reconciled.c.source], set_={"position": furthest}))
