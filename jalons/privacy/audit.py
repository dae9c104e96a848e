"""The audit records who read or wrote what of a person, when and why; it is append-only and names nobody.

A person appears as a keyed hash of the ref (HMAC-SHA256, one key per service, derived from the hub's secret). The home
partner, which has the ref, can ask as long as the ref exists. Once the ref is erased, no row leads to a person,
although no row was changed. A hash under the person's own key would cost each read another statement to fetch that key,
and would hide no more, since the ref itself is random.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, func, insert, select

from jalons.privacy.sealing import derive
from jalons.privacy.tables import audit
from jalons.web.identity import Principal
from schemas.envelope import Payload
from schemas.topics import PATHWAYS

_NOTED = "jalons.audit"
READ = "read"


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One thing of one person that was read or written. action: the event's verb, or `read`. thing: id of the act or
    agreement. reference: the act's spoken reference. purpose: the agreement's purposes, comma-separated."""

    ref: str
    noun: str
    action: str = READ
    thing: UUID | None = None
    reference: str | None = None
    purpose: str | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who reads or writes, in which call. actor: the partner's own opaque code for the member of staff (header
    `Jalons-Actor`)."""

    principal: Principal
    call: UUID
    now: datetime
    actor: str | None = None


def line_of(ref: str, data: Payload, action: str | None = None) -> AuditLine | None:
    """The line of an event; None if it concerns no person. action: replaces the event's own verb."""
    if data.TOPIC is not PATHWAYS:
        return None
    noun, verb = data.TYPE.split(".")[1:3]
    return AuditLine(
        ref,
        noun,
        action or verb,
        getattr(data, f"{noun}_id", None),
        getattr(data, "reference", None),
        ",".join(getattr(data, "purposes", ())) or None,
    )


@contextmanager
def noting(conn: Connection) -> Iterator[dict[AuditLine, None]]:
    """Collects, in order, what `note` reports as read of persons through this connection."""
    seen: dict[AuditLine, None] = {}
    info = conn.info  # a connection that was lost cannot be asked for it again
    info[_NOTED] = seen
    try:
        yield seen
    finally:
        info.pop(_NOTED, None)


def note(conn: Connection, line: AuditLine) -> None:
    """Report something of a person as read. Called where rows are read, so that no route can forget it."""
    seen = conn.info.get(_NOTED)
    if seen is not None:
        seen[line] = None


def permit_purge(conn: Connection, before: datetime) -> None:
    """Let the caller's transaction delete the lines older than `before`; the table's trigger refuses all others."""
    conn.execute(select(func.set_config("jalons.audit_expired_before", before.isoformat(), True)))


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Which lines are asked for: from `since` to before `until`, with ids below `before`, at most `limit`."""

    since: datetime | None
    until: datetime | None
    before: int
    limit: int

    def read(self, conn: Connection, which: ColumnElement[bool]) -> list[dict[str, Any]]:
        """The lines that match, newest first."""
        hidden = {audit.c.client, audit.c.thing, audit.c.person}
        columns = [column for column in audit.c if column not in hidden]
        query = select(*columns).where(which, audit.c.id < self.before).order_by(audit.c.id.desc()).limit(self.limit)
        if self.since is not None:
            query = query.where(audit.c.at >= self.since)
        if self.until is not None:
            query = query.where(audit.c.at < self.until)
        return [dict(row) for row in conn.execute(query).mappings()]


class Audit:
    """A service's audit. secret: the hub's secret; service: its name, so that rows of two services cannot be joined."""

    def __init__(self, secret: str, service: str) -> None:
        self._key = derive(secret, f"audit of {service}")

    def person(self, ref: str) -> bytes:
        """The hash that stands for a person."""
        return hmac.digest(self._key, ref.encode(), hashlib.sha256)

    def write(self, conn: Connection, caller: Caller, lines: Collection[AuditLine]) -> None:
        """Add lines in the caller's transaction."""
        if lines:
            conn.execute(insert(audit), [self._row(caller, line) for line in lines])

    def of_person(self, conn: Connection, ref: str, page: AuditPage) -> list[dict[str, Any]]:
        """A person's lines, newest first."""
        return page.read(conn, audit.c.person == self.person(ref))

    def of_act(self, conn: Connection, reference: str, page: AuditPage) -> list[dict[str, Any]]:
        """The lines of an act, by its spoken reference, newest first."""
        return page.read(conn, audit.c.reference == reference)

    def _row(self, caller: Caller, line: AuditLine) -> dict[str, Any]:
        return {
            "at": caller.now,
            "call": caller.call,
            "client": caller.principal.client_id,
            "partner": caller.principal.partner or "hub",
            "actor": caller.actor,
            "noun": line.noun,
            "action": line.action,
            "thing": line.thing,
            "reference": line.reference,
            "purpose": line.purpose,
            "person": self.person(line.ref),
        }
