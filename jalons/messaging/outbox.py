"""State and event in one commit: events are appended in the transaction that decides them, numbered per subject."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from jalons.clock import new_id
from jalons.database import execute, given
from jalons.inserts import Inserts, Into
from jalons.messaging.codec import encode
from jalons.process import metrics
from schemas.envelope import Event, Payload, SealedPart


@dataclass(frozen=True, slots=True)
class Cause:
    """What new events follow from. correlation: the call at the root; causation: the call or event just before."""

    correlation: UUID
    causation: UUID
    traceparent: str | None = None

    @classmethod
    def of(cls, event: Event) -> Cause:
        """What follows from an event."""
        return cls(event.correlation, event.id, event.traceparent)


@dataclass(frozen=True, slots=True)
class Draft:
    """An event before it has a number. time: when it happened. id: given where it is derived, else new."""

    subject: str
    data: Payload
    time: datetime
    partner: str
    cause: Cause
    sealed: SealedPart | None = None
    id: UUID = field(default_factory=new_id)


EVENTS = Into(
    "events",
    "subject text, sequence bigint, id uuid, type text, topic text, recorded timestamptz, value bytea",
)

KeysOf = Callable[[Connection, Collection[str]], Mapping[str, bytes]]


def no_keys(_conn: Connection, _subjects: Collection[str]) -> Mapping[str, bytes]:
    """For a service none of whose events has a sealed part."""
    return {}


class Outbox:
    """A service's own log. keys_of: the keys of the persons whose events have a sealed part."""

    def __init__(self, service: str, keys_of: KeysOf = no_keys) -> None:
        self.service = service
        self.source = f"/services/{service}"
        self._keys_of = keys_of

    def append(self, conn: Connection, drafts: Sequence[Draft], now: datetime) -> list[Event]:
        """Number and store events in the caller's transaction, which holds their subjects' locks. Wakes the relay.

        Raises TooLarge, with nothing stored.
        """
        rows = Inserts()
        events = self.gather(rows, conn, drafts, now)
        rows.write(conn)
        return events

    def gather(
        self,
        rows: Inserts,
        conn: Connection,
        drafts: Sequence[Draft],
        now: datetime,
        known: Mapping[str, bytes] | None = None,
        last: Mapping[str, int] | None = None,
    ) -> list[Event]:
        """As `append`, but for the rows, which are written with the caller's others: only then are they stored.

        known: persons' keys that the caller has at hand; last: the last number of subjects that it knows, under their
        locks. Raises TooLarge.
        """
        if not drafts:
            return []
        counted = dict(last or {})
        asked_last = sorted({draft.subject for draft in drafts} - counted.keys())
        if asked_last:
            counted |= self.last(conn, asked_last)
        keys = dict(known or {})
        asked = {draft.subject for draft in drafts if draft.sealed is not None} - keys.keys()
        if asked:
            keys |= self._keys_of(conn, asked)
        events = []
        for draft in drafts:
            counted[draft.subject] = counted.get(draft.subject, 0) + 1
            events.append(self._numbered(draft, counted[draft.subject], now))
        values = [encode(event, keys.get(event.subject)) for event in events]
        for event, value in zip(events, values, strict=True):
            row = (event.subject, event.sequence, event.id, event.type, event.data.TOPIC.name, event.recorded, value)
            rows.add(EVENTS, row)
            metrics.EVENTS_APPENDED.labels(self.service, event.type).inc()
        rows.wake(channel(self.service))
        return events

    def last(self, conn: Connection, subjects: Sequence[str]) -> dict[str, int]:
        """The last number of these subjects; of one that has none, no line."""
        source, values = given("text", [(subject,) for subject in subjects])
        rows = execute(
            conn,
            f"SELECT k.subject, e.last FROM {source} AS k(subject)"  # noqa: S608 - own names
            " JOIN LATERAL (SELECT sequence AS last FROM events WHERE events.subject = k.subject"
            " ORDER BY sequence DESC LIMIT 1) AS e ON true",  # one row of an index, however many events there are
            values,
        )
        return {row.subject: row.last for row in rows}

    def _numbered(self, draft: Draft, sequence: int, now: datetime) -> Event:
        return Event(
            id=draft.id,
            source=self.source,
            subject=draft.subject,
            sequence=sequence,
            time=draft.time,
            recorded=now,
            partner=draft.partner,
            correlation=draft.cause.correlation,
            causation=draft.cause.causation,
            data=draft.data,
            sealed=draft.sealed,
            traceparent=draft.cause.traceparent,
        )


def channel(service: str) -> str:
    """The NOTIFY channel on which a service's relay is woken."""
    return f"jalons_outbox_{service}"
