"""State and event in one commit: events are appended in the transaction that decides them, numbered per subject."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Text, func, insert, select, update

from jalons.clock import new_id
from jalons.database import array_rows, as_arrays
from jalons.messaging.codec import encode
from jalons.messaging.tables import events as log
from jalons.postgres import notify
from jalons.privacy.disclosure import readers_of
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
        """The cause of what follows from an event."""
        return cls(event.correlation, event.id, event.traceparent)


@dataclass(frozen=True, slots=True)
class Draft:
    """An event that has no sequence yet. time: when it happened. id: given for derived events, else new."""

    subject: str
    data: Payload
    time: datetime
    partner: str
    cause: Cause
    sealed: SealedPart | None = None
    id: UUID = field(default_factory=new_id)


KeysOf = Callable[[Connection, Collection[str]], Mapping[str, bytes]]

_SUBJECTS = array_rows(subject=Text)
_LAST = select(
    _SUBJECTS.c.subject,
    select(func.max(log.c.sequence)).where(log.c.subject == _SUBJECTS.c.subject).scalar_subquery().label("last"),
)
"""The newest sequence of each subject: one index entry each, however many events there are."""


def no_keys(_conn: Connection, _subjects: Collection[str]) -> Mapping[str, bytes]:
    """For a service none of whose events has a sealed part."""
    return {}


class Outbox:
    """A service's own log. keys_of: looks up the keys of the persons whose events have a sealed part."""

    def __init__(self, service: str, keys_of: KeysOf = no_keys) -> None:
        self.service = service
        self.source = f"/services/{service}"
        self._keys_of = keys_of

    def append(
        self, conn: Connection, drafts: Sequence[Draft], now: datetime, keys: Mapping[str, bytes] | None = None
    ) -> list[Event]:
        """Number and store events in the caller's transaction, which holds their subjects' locks; wake the relay.

        keys: persons' keys the caller has already; the others are looked up. Raises TooLarge, with nothing stored.
        """
        if not drafts:
            return []
        events, values = self._encoded(conn, drafts, now, keys or {})
        conn.execute(insert(log), [_row(event, value) for event, value in zip(events, values, strict=True)])
        notify(conn, channel(self.service))
        return events

    def last(self, conn: Connection, subjects: Collection[str]) -> dict[str, int]:
        """The newest sequence of each subject; 0 if it has no event."""
        rows = conn.execute(_LAST, as_arrays([{"subject": subject} for subject in sorted(subjects)]))
        return {row.subject: row.last or 0 for row in rows}

    def _encoded(
        self, conn: Connection, drafts: Sequence[Draft], now: datetime, keys: Mapping[str, bytes]
    ) -> tuple[list[Event], list[bytes]]:
        counted = self.last(conn, {draft.subject for draft in drafts})
        if missing := {draft.subject for draft in drafts if draft.sealed is not None} - keys.keys():
            keys = {**keys, **self._keys_of(conn, missing)}
        events = []
        for draft in drafts:
            counted[draft.subject] += 1
            events.append(self._numbered(draft, counted[draft.subject], now))
        values = [encode(event, keys.get(event.subject)) for event in events]
        for event in events:
            metrics.EVENTS_APPENDED.labels(self.service, event.type).inc()
        return events, values

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


def forget(conn: Connection, subject: str) -> None:
    """No partner reads the events of an erased person any more. They stay in the log, under a ref that leads to nobody:
    their numbering must not get holes."""
    conn.execute(update(log).where(log.c.subject == subject).values(readers=[]))


def channel(service: str) -> str:
    """The NOTIFY channel that wakes a service's relay."""
    return f"jalons_outbox_{service}"


def _row(event: Event, value: bytes) -> dict[str, object]:
    return {
        "subject": event.subject,
        "sequence": event.sequence,
        "id": event.id,
        "type": event.type,
        "topic": event.data.TOPIC.name,
        "recorded": event.recorded,
        "value": value,
        "readers": readers_of(event),
    }
