"""Rows that have served are deleted by one part of each service, each kind after its own period."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, CursorResult, Engine, Table, delete, select, tuple_

from jalons import clock
from jalons.database import transaction
from jalons.messaging import tables as messaging
from jalons.privacy import tables as privacy
from jalons.privacy.audit import permit_purge
from jalons.process.parts import Heartbeat, Part
from jalons.process.settings import Settings

EVERY_SECONDS = 3600.0
BATCH = 1000


def _freely(_conn: Connection, _before: datetime) -> None:
    pass


@dataclass(frozen=True)
class Expiry:
    """When rows of a table are deleted: once `since` is older than `keep`, and all of `only` hold.

    permit: called in the deleting transaction with the instant before which rows go, where a table asks for leave.
    """

    table: Table
    since: ColumnElement[datetime]
    keep: timedelta
    only: tuple[ColumnElement[bool], ...] = ()
    permit: Callable[[Connection, datetime], None] = _freely


def shared(settings: Settings, *, audited: bool) -> list[Expiry]:
    """The rules of the tables that every service has. audited: whether it has an audit."""
    letters = messaging.dead_letters
    rules = [Expiry(letters, letters.c.resolved, timedelta(days=settings.keep_resolved_dead_letters_days))]
    if audited:
        keep = timedelta(days=366 * settings.keep_audit_years)
        rules.append(Expiry(privacy.audit, privacy.audit.c.at, keep, permit=permit_purge))
    return rules


class Purge:
    """Deletes what the rules name, in short transactions, so that it never holds up a call."""

    def __init__(self, engine: Engine, rules: Sequence[Expiry], now: Callable[[], datetime] = clock.now) -> None:
        self.rules = tuple(rules)
        self._engine = engine
        self._now = now

    @property
    def part(self) -> Part:
        """The purge as a part of a process."""
        return Part("purge", self._run, delay=60.0)

    def once(self, alive: Callable[[], None] = lambda: None) -> int:
        """Delete all that is due and return how many rows. alive: called after each batch."""
        deleted = 0
        for rule in self.rules:
            while gone := self._batch(rule):
                deleted += gone
                alive()
        return deleted

    def _batch(self, rule: Expiry) -> int:
        before = self._now() - rule.keep
        key = rule.table.primary_key.columns
        due = select(*key).where(rule.since < before, *rule.only).limit(BATCH).with_for_update(skip_locked=True)
        with transaction(self._engine) as conn:
            rule.permit(conn, before)
            result: CursorResult[tuple[()]] = conn.execute(delete(rule.table).where(tuple_(*key).in_(due)))
            return result.rowcount

    def _run(self, heartbeat: Heartbeat) -> None:
        while not heartbeat.stopping.is_set():
            self.once(heartbeat.beat)
            heartbeat.sleep(EVERY_SECONDS)
