"""Who read or wrote what of a person, when and why: append-only, in the act's own transaction, and naming nobody.

A person stands in it as a keyed hash of the ref (HMAC-SHA256, a key per service out of the hub's secret). So the home
partner, which has the ref, is answered as long as the person is there; once the ref is erased nothing leads from a row
to anybody, though no row was touched. A hash under the person's own key would cost every read of an act another
statement to fetch that key, and hide no more: the ref itself is random.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from jalons.database import execute
from jalons.inserts import Inserts, Into
from jalons.privacy.sealing import derive
from jalons.web.identity import Principal
from schemas.envelope import Payload
from schemas.topics import PATHWAYS

AUDIT = Into(
    "audit",
    "at timestamptz, call uuid, client text, partner text, actor text, noun text, action text, thing uuid,"
    " reference text, purpose text, person bytea",
)
_NOTED = "jalons.audit"
READ = "read"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing of one person that was read or written. action: the event's word, or `read`. thing: the act's or the
    agreement's id. reference: the act's spoken one. purpose: what an agreement is for."""

    ref: str
    noun: str
    action: str = READ
    thing: UUID | None = None
    reference: str | None = None
    purpose: str | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, in which call. actor: the partner's own opaque code of who sits there (header `Jalons-Actor`)."""

    principal: Principal
    call: UUID
    now: datetime
    actor: str | None = None


def line_of(ref: str, data: Payload, action: str | None = None) -> Line | None:
    """The line that an event makes; None if it is about nobody. action: in place of the event's own word."""
    if data.TOPIC is not PATHWAYS:
        return None
    noun, said = data.TYPE.split(".")[1:3]
    return Line(
        ref,
        noun,
        action or said,
        getattr(data, f"{noun}_id", None),
        getattr(data, "reference", None),
        ",".join(getattr(data, "purposes", ())) or None,
    )


@contextmanager
def noting(conn: Connection) -> Iterator[dict[Line, None]]:
    """What is read of persons through this connection from now on, in order; the stores tell by `note`."""
    seen: dict[Line, None] = {}
    conn.info[_NOTED] = seen
    try:
        yield seen
    finally:
        conn.info.pop(_NOTED, None)


def note(conn: Connection, line: Line) -> None:
    """Something of a person was read. Kept on the connection: no route can read a person and forget to say so."""
    seen = conn.info.get(_NOTED)
    if seen is not None:
        seen[line] = None


@dataclass(frozen=True, slots=True)
class Asked:
    """Which part of an audit. before: the id of the last line that the caller has."""

    since: datetime | None
    until: datetime | None
    before: int
    limit: int

    def page(self, conn: Connection, column: str, value: object) -> list[dict[str, Any]]:
        """Lines whose column holds the value; until is not part of the span."""
        rows: Sequence[Any] = execute(
            conn,
            "SELECT id, at, call, partner, actor, noun, action, reference, purpose FROM audit"  # noqa: S608 - our columns
            f" WHERE {column} = %s AND id < %s AND at >= coalesce(%s, '-infinity'::timestamptz)"
            " AND at < coalesce(%s, 'infinity'::timestamptz) ORDER BY id DESC LIMIT %s",
            (value, self.before, self.since, self.until, self.limit),
        ).fetchall()
        return [row._asdict() for row in rows]


class Audit:
    """A service's audit. secret: the hub's; service: its name, so that two services' rows cannot be joined."""

    def __init__(self, secret: str, service: str) -> None:
        self._key = derive(secret, f"audit of {service}")

    def person(self, ref: str) -> bytes:
        """How a person stands in it."""
        return hmac.digest(self._key, ref.encode(), hashlib.sha256)

    def gather(self, rows: Inserts, caller: Caller, lines: Collection[Line]) -> None:
        """Add these lines to what the caller's transaction writes."""
        who = caller.principal
        rows.add(
            AUDIT,
            *(
                (
                    *(caller.now, caller.call, who.client_id, who.partner or "hub", caller.actor),
                    *(line.noun, line.action, line.thing, line.reference, line.purpose, self.person(line.ref)),
                )
                for line in lines
            ),
        )

    def write(self, conn: Connection, caller: Caller, lines: Collection[Line]) -> None:
        """Add these lines in the caller's transaction, in one statement; none costs none."""
        rows = Inserts()
        self.gather(rows, caller, lines)
        rows.write(conn)

    def of_person(self, conn: Connection, ref: str, asked: Asked) -> list[dict[str, Any]]:
        """What was done to a person, newest first."""
        return asked.page(conn, "person", self.person(ref))

    def of_act(self, conn: Connection, reference: str, asked: Asked) -> list[dict[str, Any]]:
        """What was done to an act, newest first."""
        return asked.page(conn, "reference", reference)
