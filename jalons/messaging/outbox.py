"""State and event in one commit: events are appended in the transaction that decides them, numbered per subject."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from jalons import metrics
from jalons.clock import new_id
from jalons.database import execute, given
from jalons.messaging.codec import encode
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


_TYPES = "text bigint uuid text text timestamptz bytea"

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

    def append(
        self, conn: Connection, drafts: Sequence[Draft], now: datetime, known: Mapping[str, bytes] | None = None
    ) -> list[Event]:
        """Number and store events in the caller's transaction, which holds their subjects' locks. Wakes the relay.

        known: persons' keys that the caller has at hand. Raises TooLarge, with nothing stored.
        """
        if not drafts:
            return []
        subjects = sorted({draft.subject for draft in drafts})
        last = {
            row.subject: row.last
            for row in execute(
                conn,
                "SELECT subject, max(sequence) AS last FROM events WHERE subject = ANY(%s) GROUP BY subject",
                (subjects,),
            )
        }
        keys = dict(known or {})
        asked = {draft.subject for draft in drafts if draft.sealed is not None} - keys.keys()
        if asked:
            keys |= self._keys_of(conn, asked)
        events = []
        for draft in drafts:
            last[draft.subject] = last.get(draft.subject, 0) + 1
            events.append(self._numbered(draft, last[draft.subject], now))
        self._store(conn, events, [encode(event, keys.get(event.subject)) for event in events])
        for event in events:
            metrics.EVENTS_APPENDED.labels(self.service, event.type).inc()
        return events

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

    def _store(self, conn: Connection, events: list[Event], values: list[bytes]) -> None:
        """In one statement with the relay's wake-up."""
        rows = [
            (e.subject, e.sequence, e.id, e.type, e.data.TOPIC.name, e.recorded, value)
            for e, value in zip(events, values, strict=True)
        ]
        source, given_values = given(_TYPES, rows)
        execute(
            conn,
            "WITH stored AS (INSERT INTO events (subject, sequence, id, type, topic, recorded, value)"  # noqa: S608 - no value in it
            f" SELECT * FROM {source} AS k) SELECT pg_notify(%s, '')",
            (*given_values, channel(self.service)),
        )


def channel(service: str) -> str:
    """The NOTIFY channel on which a service's relay is woken."""
    return f"jalons_outbox_{service}"
