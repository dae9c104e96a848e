"""A unit of work: one call, one transaction, and the events the call records; the edge opens it and commits it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Connection

from jalons.clock import happened, local_date
from jalons.messaging.outbox import Cause, Draft, Outbox
from jalons.privacy import audit
from jalons.privacy.aliases import name_for
from jalons.privacy.audit import Audit, AuditLine
from jalons.privacy.disclosure import Alias
from jalons.process.wiring import Ground
from jalons.web.identity import Principal
from schemas.envelope import Payload, SealedPart
from services.referrals.acts.dates import check_happened
from services.referrals.persons import rows as persons
from services.referrals.persons.keys import PersonKeys


class Stale(Exception):
    """If-Match names another version than the stored one."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a partner's system.

    id: the correlation id of every event the call causes. key: its Idempotency-Key; request: the fingerprint of the
    request sent under it. actor: the partner's own opaque code for the user; only the audit stores it.
    """

    id: UUID
    principal: Principal
    now: datetime
    key: str | None = None
    if_match: str | None = None
    traceparent: str | None = None
    request: bytes = b""
    actor: str | None = None

    @property
    def partner(self) -> str:
        """The partner that acts; `hub` if the caller belongs to none."""
        return self.principal.partner or "hub"

    @property
    def today(self) -> date:
        """The date in Brussels."""
        return local_date(self.now)

    @property
    def caller(self) -> audit.Caller:
        """The caller as the audit stores it."""
        return audit.Caller(self.principal, self.id, self.now, self.actor)


@dataclass(frozen=True, slots=True)
class Hub:
    """What a process needs to record events: the event log, the persons' keys, the aliases and the audit."""

    outbox: Outbox
    keys: PersonKeys
    alias: Alias
    audit: Audit

    @classmethod
    def of(cls, ground: Ground, keys: PersonKeys) -> Hub:
        """The hub of a running service."""
        return cls(ground.outbox, keys, ground.alias, ground.audit)


@dataclass(slots=True)
class Work:
    """A transaction in progress for a call. Commands add to `events`; `append` stores them, in the order recorded."""

    conn: Connection
    call: Call
    hub: Hub
    events: list[Draft] = field(default_factory=list)

    def record(
        self,
        subject: object,
        data: Payload,
        sealed: SealedPart | None = None,
        happened_on: date | None = None,
        *,
        by: str | None = None,
        cause: UUID | None = None,
    ) -> UUID:
        """Record an event of this call and return its id.

        by: the partner that acted, if not the caller. cause: the event that caused it, if not the call itself.
        Raises OutOfOrder.
        """
        if happened_on is not None:
            check_happened("happened_on", happened_on, self.call.today)
        causation = Cause(self.call.id, cause or self.call.id, self.call.traceparent)
        time = happened(happened_on, self.call.now)
        draft = Draft(str(subject), data, time, by or self.call.partner, causation, sealed)
        self.events.append(draft)
        return draft.id

    def expect(self, version: int | None) -> None:
        """Check the call's If-Match against a stored version; None: nothing is stored yet. Raises Stale."""
        expected = self.call.if_match
        if expected is not None and (version is None or expected not in ("*", f'"{version}"')):
            raise Stale

    def append(self, seen: Iterable[AuditLine] = ()) -> None:
        """Store the events, and an audit line for each event about a person.

        seen: what the call read of persons; it makes a line too, unless an event about that person does.
        """
        self.hub.outbox.append(self.conn, self.events, self.call.now)
        lines = [line for each in self.events if (line := audit.line_of(each.subject, each.data))]
        written = {line.ref for line in lines}
        lines += [line for line in seen if line.ref not in written]
        self.hub.audit.write(self.conn, self.call.caller, lines)

    def named_for(self, partner: str, ref: UUID, home: str) -> UUID:
        """The id by which a partner knows a person: the ref for the home partner, an alias for any other."""
        return name_for(partner, ref, home, self.hub.alias)

    def grant_aliases(self, ref: UUID, home: str, partners: Collection[str]) -> None:
        """Store an alias of the person for each of these partners but the home partner."""
        for partner in partners:
            if partner != home:
                persons.keep_alias(self.conn, self.hub.alias(str(ref), partner), ref, partner)
