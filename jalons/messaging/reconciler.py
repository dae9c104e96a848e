"""Compares what was applied with each source's own log, minute by minute: Kafka's offsets are not trusted."""

from __future__ import annotations

import logging
import threading

import psycopg
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from jalons.database import execute, transaction
from jalons.messaging import dead_letters, progress
from jalons.messaging.deliver import Deliver
from jalons.messaging.source_log import Head, LogUnavailable
from jalons.process import metrics

log = logging.getLogger(__name__)


class Reconciler:
    """Looks for subjects whose last applied number is behind their source's log, and applies what is missing.

    Where it has compared everything up to a position, it never looks there again: numbers only grow.
    """

    def __init__(self, deliver: Deliver, seconds: float) -> None:
        self._deliver = deliver
        self._seconds = seconds
        self._stopping = deliver.stopping
        self._thread = threading.Thread(target=self._run, name=f"reconciler-{deliver.service}", daemon=True)

    def start(self) -> None:
        """Begin; the first look is after one period."""
        self._thread.start()

    def stop(self) -> None:
        """The delivery's own stop ends it."""

    def look(self) -> int:
        """One round over every source; how many events were missing. Raises LogUnavailable and database errors."""
        return sum(self._compare(source) for source in self._deliver.logs)

    def measure(self) -> None:
        """Say in the metrics what was set aside or parked and is not mended."""
        with transaction(self._deliver.engine) as conn:
            letters, parked = dead_letters.open_now(conn)
        metrics.DEAD_LETTERS_OPEN.labels(self._deliver.service).set(letters)
        metrics.SUBJECTS_PARKED.labels(self._deliver.service).set(parked)

    def _run(self) -> None:
        while not self._stopping.wait(self._seconds):
            try:
                self.measure()
                self.look()
            except (LogUnavailable, SQLAlchemyError, psycopg.Error) as error:
                log.info("reconciling waits: %s", type(error).__name__)

    def _compare(self, source: str) -> int:
        missing = 0
        while not self._stopping.is_set():
            with transaction(self._deliver.engine) as conn:
                position = _compared(conn, source)
            heads = self._deliver.logs[source].heads(position)
            if not heads:
                break
            with transaction(self._deliver.engine) as conn:
                behind = _behind(conn, source, heads)
            if behind:
                applied = self._deliver.fetch(source, behind)
                metrics.RECONCILED.labels(self._deliver.service).inc(applied)
                log.warning("reconciled %d events of %d subjects that never came", applied, len(behind))
                missing += applied
            with transaction(self._deliver.engine) as conn:
                _note(conn, source, max(head.position for head in heads))
        return missing


def _compared(conn: Connection, source: str) -> int:
    row = execute(conn, "SELECT position FROM reconciled WHERE source = %s", (source,)).fetchone()
    return int(row.position) if row else 0


def _behind(conn: Connection, source: str, heads: list[Head]) -> list[str]:
    """Subjects that are behind and not parked."""
    rows = progress.load(conn, {(source, head.subject) for head in heads})
    none = progress.Progress()
    return sorted(
        {
            head.subject
            for head in heads
            if (row := rows.get((source, head.subject), none)).last < head.sequence and not row.parked
        }
    )


def _note(conn: Connection, source: str, position: int) -> None:
    execute(
        conn,
        "INSERT INTO reconciled (source, position) VALUES (%s, %s) ON CONFLICT (source) DO UPDATE"
        " SET position = greatest(reconciled.position, excluded.position)",
        (source, position),
    )
