"""Events for tests of delivery, from a log in memory that numbers them as a real source does."""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from jalons.clock import new_id
from jalons.messaging.codec import encode
from jalons.messaging.items import Entry, Record
from jalons.messaging.progress import mark_of
from jalons.messaging.source_log import Applied, Head, LogUnavailable, digest_of
from jalons.privacy.keys import GONE, Key, Keys
from schemas.beneficiary import ErasedV1
from schemas.catalogue import TYPES
from schemas.envelope import Event
from schemas.examples import DATA, SEALED
from schemas.topics import Topic

SOURCE = "/services/referrals"
_OFFSETS = itertools.count(10_000)
NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)


@dataclass
class MemorySource:
    """A fake of jalons.messaging.source_log.SourceLog, with the keys its events are sealed under.

    topics: as of HttpLog. on_after: called with the subject after its events were read, before they are returned."""

    entries: list[Entry] = field(default_factory=list)
    keys: dict[str, Key] = field(default_factory=dict)
    away: bool = False
    asked: int = 0
    topics: tuple[Topic, ...] = ()
    on_after: Callable[[str], object] = lambda _subject: None

    def write(self, subject: str, type_: str = "jalons.referral.received.v1", **data: Any) -> Record:
        """Append the next event of a subject to the log; returns it as a Kafka record."""
        event = self.event(subject, type_, **data)
        key = self.keys.setdefault(subject, b"k" * 32)
        value = encode(event, key if isinstance(key, bytes) else None)
        self.entries.append(Entry(SOURCE, subject, event.sequence, event.id, value))
        if type_ == ErasedV1.TYPE:
            self.keys[subject] = GONE
        return record(value, subject, offset=len(self.entries) - 1)

    def event(self, subject: str, type_: str, **data: Any) -> Event:
        """The next event of a subject, not appended."""
        payload = TYPES[type_]
        sealed = payload.SEALED.model_validate(SEALED[type_]) if payload.SEALED else None
        sequence = sum(entry.subject == subject for entry in self.entries) + 1
        call = new_id()
        return Event(
            id=new_id(),
            source=SOURCE,
            subject=subject,
            sequence=sequence,
            time=NOW,
            recorded=NOW,
            partner="cpas-hotton",
            correlation=call,
            causation=call,
            data=payload.model_validate(DATA[type_] | data),
            sealed=sealed,
        )

    def after(self, subject: str, sequence: int) -> list[Entry]:
        """See SourceLog."""
        self.asked += 1
        if self.away:
            raise LogUnavailable("away")
        entries = [e for e in self.entries if e.subject == subject and e.sequence > sequence]
        self.on_after(subject)
        return entries

    def heads(self, position: int) -> list[Head]:
        """See SourceLog. Positions count from 1 in the order written."""
        if self.away:
            raise LogUnavailable("away")
        latest: dict[str, Head] = {}
        for at, entry in enumerate(self.entries, 1):
            if at > position and (not self.topics or _topic(entry) in self.topics):
                latest[entry.subject] = Head(entry.subject, entry.sequence, at)
        return sorted(latest.values(), key=lambda head: head.position)

    def differing(self, applied: Sequence[Applied]) -> list[str]:
        """See SourceLog."""
        if self.away:
            raise LogUnavailable("away")
        return [each.subject for each in applied if self._digest(each) != each.digest]

    def _digest(self, of: Applied) -> str:
        own = [e for e in self.entries if e.subject == of.subject and e.sequence <= of.sequence]
        return digest_of(b"".join(mark_of(e.id) for e in sorted(own, key=lambda e: e.sequence)))

    def keyring(self) -> Keys:
        """The keys of the log's persons."""
        return Keys(lambda subjects: {s: self.keys[s] for s in subjects if s in self.keys})


def _topic(entry: Entry) -> Topic:
    return TYPES[json.loads(entry.value)["type"]].TOPIC


def record(value: bytes | None, key: str, offset: int, topic: str = "jalons.pathways") -> Record:
    """A Kafka record."""
    return Record(topic, 0, offset, key.encode(), value, SOURCE)


def person() -> str:
    """A new person's ref."""
    return str(uuid.uuid4())


def forged(original: Record, **attributes: Any) -> Record:
    """A copy of a record with changed envelope attributes."""
    value = json.loads(original.value or b"{}") | attributes
    return Record(
        original.topic,
        original.partition,
        next(_OFFSETS),
        str(value["subject"]).encode(),
        json.dumps(value).encode(),
        SOURCE,
    )
