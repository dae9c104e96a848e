"""What one reader may see of a service's log: chosen by party first, then opened, all persons' keys at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, func, or_, select

from jalons.clock import new_id, now
from jalons.database import transact, transaction
from jalons.messaging import generation
from jalons.messaging.codec import opened, read
from jalons.messaging.tables import events as log
from jalons.privacy import audit as audits
from jalons.privacy.audit import Audit, AuditLine
from jalons.privacy.cursors import Cursors
from jalons.privacy.disclosure import Alias, cut, for_coordinator
from jalons.privacy.keys import Keys
from jalons.privacy.own_ids import OwnId, reader_of
from jalons.web.identity import Principal
from schemas.beneficiary import ErasedV1
from schemas.envelope import Event

SCANNED = 10_000
"""Positions looked through for one page: a partner that is far behind gets pages with few events, or none."""

Narrow = Callable[[Connection, Sequence[Event], str], list[Event]]
"""(connection, events, partner) → the events without what this partner may no longer see."""
_NAMES_OF_THE_PERSON = ("subject", "partitionkey")


@dataclass(frozen=True)
class PartnerLog:
    """A service's log as its partners read it. audit: None in a service whose events concern no person."""

    engine: Engine
    keys: Keys
    alias: Alias
    own: OwnId
    cursors: Cursors
    audit: Audit | None
    narrow: Narrow | None = None

    def page(self, caller: Principal, by: str | None, after: str | None, limit: int) -> dict[str, Any]:
        """`items`, each with the cursor after it, and `next`, where a poller continues. Each event shown leaves a line
        in the audit. Raises Problem 422."""
        reader = reader_of(caller)
        with transaction(self.engine) as conn:
            of = generation.current(conn)
            start = generation.place_of(after, reader, self.cursors, of)
            rows, end = _chosen(conn, start, limit, None if caller.has("coordinator") else caller.partner or "")
        found = self._opened([value for _, value in rows])
        if self.narrow and caller.partner and not caller.has("coordinator"):
            with transaction(self.engine) as conn:
                found = self.narrow(conn, found, caller.partner)
        items, lines = [], []
        for (position, _), event in zip(rows, found, strict=True):
            if shown := self.shown(event, caller):
                items.append({"cursor": self.cursors.seal(of, position, reader)} | shown)
                lines.append(audits.line_of(event.subject, event.data, audits.READ))
        self._write_audit(caller, by, [line for line in lines if line is not None])
        return {"items": items, "next": self.cursors.seal(of, end, reader)}

    def _opened(self, values: Sequence[bytes]) -> list[Event]:
        known = [read(value) for value in values]
        keys = self.keys.of({each.subject for each in known if each.sealed})
        return [opened(each, keys.get(each.subject)) for each in known]

    def shown(self, event: Event, caller: Principal) -> dict[str, Any] | None:
        """An event as the caller sees it; None if it sees nothing of it.

        An erasure is read by its references: nothing in the log stands under a name of the person any more.
        """
        if caller.has("coordinator"):
            return for_coordinator(event, reader_of(caller), self.own)
        shown = cut(event, caller.partner, self.alias, self.own) if caller.partner else None
        if shown and isinstance(event.data, ErasedV1):
            return {name: value for name, value in shown.items() if name not in _NAMES_OF_THE_PERSON}
        return shown

    def _write_audit(self, caller: Principal, by: str | None, lines: Sequence[AuditLine]) -> None:
        if self.audit is not None and lines:
            audit, reader = self.audit, audits.Caller(caller, new_id(), now(), by)
            transact(self.engine, lambda conn: audit.write(conn, reader, lines))


def _chosen(conn: Connection, after: int, limit: int, partner: str | None) -> tuple[list[tuple[int, bytes]], int]:
    """The events after a position that may concern a partner (None: all), and up to which position they are all."""
    page = select(log.c.position, log.c.value).where(log.c.position > after, log.c.position <= after + SCANNED)
    if partner is not None:
        page = page.where(or_(log.c.readers.is_(None), log.c.readers.contains([partner])))
    newest = conn.scalar(select(func.max(log.c.position))) or 0
    rows = [(row.position, row.value) for row in conn.execute(page.order_by(log.c.position).limit(limit))]
    rows = [row for row in rows if row[0] <= newest]
    return rows, rows[-1][0] if len(rows) == limit else max(after, min(newest, after + SCANNED))
