"""What a command works with: one transaction, one call, the clock's answer; the edge makes it and commits."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Connection

from jalons.clock import happened, local_date
from jalons.inserts import Inserts
from jalons.messaging.outbox import Cause, Draft, Outbox
from jalons.privacy import audit
from jalons.privacy.audit import Audit, Line
from jalons.privacy.disclosure import Alias
from jalons.web.identity import Principal
from schemas.envelope import Payload, SealedPart
from schemas.offer import CapacityChangedV1
from services.referrals.acts.rules import Act
from services.referrals.agreements.rules import Consent
from services.referrals.directory import places
from services.referrals.directory import rows as directory
from services.referrals.keyring import PersonKeys
from services.referrals.persons import rows as persons
from services.referrals.persons.rows import Person
from services.referrals.tables import offers

T = TypeVar("T")


class InTheFuture(Exception):
    """`happened_on` is after today."""


class Stale(Exception):
    """If-Match names another version than the one that is kept."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a partner's system. id: what every event that follows from it names as its cause. actor: who sits
    there, in the partner's own opaque code; for the audit alone."""

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
        """Who acts."""
        return self.principal.partner or "hub"

    @property
    def today(self) -> date:
        """The date in Brussels."""
        return local_date(self.now)

    @property
    def caller(self) -> audit.Caller:
        """Who asks, as the audit keeps it."""
        return audit.Caller(self.principal, self.id, self.now, self.actor)


@dataclass(slots=True)
class Work:
    """A transaction under way for a call. Events said are appended together when it is done, in the order said.

    rows: what it adds to tables, written when it is done: what reads them back before writes them first. known: the
    persons it has met, locked, who need not be asked for again; dossiers: the refs by partner and its own number, None
    for nobody; standing, last: their agreements, those it gives included, and the number of their last event, as far as
    it has looked. looked: what it has looked up of the directory, which an import asks again and again. offers: those
    whose places it moved, and whether it took one. calls: those that said something, by id; several may share it.
    """

    conn: Connection
    call: Call
    outbox: Outbox
    keys: PersonKeys
    alias: Alias
    audit: Audit
    rows: Inserts = field(default_factory=Inserts)
    said: list[Draft] = field(default_factory=list)
    known: dict[str, Person] = field(default_factory=dict)
    dossiers: dict[tuple[str, str], UUID | None] = field(default_factory=dict)
    standing: dict[UUID, list[Consent]] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    looked: dict[Any, Any] = field(default_factory=dict)
    offers: dict[str, bool] = field(default_factory=dict)
    calls: dict[UUID, Call] = field(default_factory=dict)

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
        """An event follows from this call; its id. by: who acted, if not the caller. cause: an event said before, if
        not the call itself. Raises InTheFuture."""
        if happened_on is not None and happened_on > self.call.today:
            raise InTheFuture
        follows = Cause(self.call.id, cause or self.call.id, self.call.traceparent)
        time = happened(happened_on, self.call.now)
        draft = Draft(str(subject), data, time, by or self.call.partner, follows, sealed)
        self.said.append(draft)
        self.calls[self.call.id] = self.call
        return draft.id

    def look(self, find: Callable[..., T], *asked: Hashable) -> T:
        """What the directory says, looked up once in this transaction. find: a store's, but for the connection."""
        if (find, asked) not in self.looked:
            self.looked[find, asked] = find(self.conn, *asked)
        found: T = self.looked[find, asked]
        return found

    def expect(self, version: int | None) -> None:
        """Go on only from the version the caller read, if it named one; None: there is nothing yet. Raises Stale."""
        asked = self.call.if_match
        if asked is not None and (version is None or asked not in ("*", f'"{version}"')):
            raise Stale

    def moved(self, before: Act, after: Act) -> None:
        """A step was saved: if it takes a place of an offer or gives one back, the offer is counted at the end."""
        if move := places.moved(before, after):
            offer, takes = move
            self.offers[offer] = takes or self.offers.get(offer, False)

    def consents(self, ref: UUID) -> list[Consent]:
        """The agreements of a person it has met that were neither withdrawn nor said to have expired."""
        if ref not in self.standing:
            self.stand(persons.standing(self.conn, [ref]))
        return self.standing[ref]

    def stand(self, found: Mapping[UUID, tuple[list[Consent], int]]) -> None:
        """Remember what decides about persons it has met."""
        for ref, (agreements, last) in found.items():
            self.standing[ref], self.last[str(ref)] = agreements, last

    def write(self) -> None:
        """Write the rows that were added so far. Raises what they are refused for: AlreadyOpen, LocalRefTaken,
        StillRunning."""
        self.rows.write(self.conn)

    def append(self, seen: Iterable[Line] = ()) -> None:
        """Write all of it: what was said to the log, the offers' places settled, and to the audit a line for each event
        of a person, and one for whatever was seen of a person of whom nothing was said. Raises NoPlaceLeft, and as
        `write`."""
        if self.offers:
            self.write()  # what is counted must be there
        for offer in sorted(self.offers):
            self._settle(offer)
        keys = self.keys.unwrap(self.known.values())
        self.outbox.gather(self.rows, self.conn, self.said, self.call.now, keys, self.last)
        lines = [(d.cause.correlation, line) for d in self.said if (line := audit.line_of(d.subject, d.data))]
        written = {line.ref for _, line in lines}
        lines += [(self.call.id, line) for line in seen if line.ref not in written]
        for call, its in groupby(lines, key=itemgetter(0)):
            caller = self.calls.get(call, self.call).caller
            self.audit.gather(self.rows, caller, [line for _, line in its])
        self.write()

    def _settle(self, name: str) -> None:
        """Count an offer's places under its row's lock: who comes second for the last one sees that it is gone.

        That it is full, or has a place again, is the hub's word: who gave a place back is told to nobody by this.
        """
        offer = directory.offer(self.conn, name, lock=True)
        if offer is None:
            return
        taken = directory.taken(self.conn, offer)
        if self.offers[name] and taken > offer["places"]:
            raise places.NoPlaceLeft(offer["places"])
        status = places.status(offer["status"], offer["places"], taken)
        if status == offer["status"]:
            return
        directory.set_status(self.conn, offers, name, status)
        event = CapacityChangedV1.model_validate({**offer, "status": status, "taken": taken})
        cause = Cause(self.call.id, self.call.id, self.call.traceparent)
        self.said.append(Draft(name, event, self.call.now, "hub", cause))

    def meet(self, person: Person) -> Person:
        """Remember a person that this call is about."""
        self.known[str(person.ref)] = person
        return person

    def named_for(self, partner: str, ref: UUID, home: str) -> UUID:
        """How a partner names a person: the home partner by the ref, any other by its own alias."""
        return ref if partner == home else self.alias(str(ref), partner)

    def grant_aliases(self, ref: UUID, home: str, partners: Sequence[str]) -> None:
        """These partners will know the person by aliases of their own."""
        for partner in partners:
            if partner != home:
                persons.keep_alias(self.rows, self.alias(str(ref), partner), ref, partner)
