"""A record on its way through delivery: what came, where from, and what could be read of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from jalons.messaging.codec import Malformed, Read, opened, read
from jalons.privacy.keys import Keys
from schemas.envelope import Event

_NO_ID = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Record:
    """What came off Kafka. source: the header of that name, for passing over a record unread."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """An event as its source's own log gives it: numbered, even where this reader cannot decode it."""

    source: str
    subject: str
    sequence: int
    id: UUID
    value: bytes


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands on Kafka; of an event that was fetched from its source's log, nowhere."""

    topic: str | None = None
    partition: int | None = None
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One record or log entry. flaw: why it cannot be read; then `event` is None.

    A flawed record from Kafka is in nobody's numbering; a flawed entry of a source's log is.
    """

    place: Place
    value: bytes | None
    source: str = ""
    subject: str = ""
    sequence: int = 0
    id: UUID = _NO_ID
    type: str | None = None
    read: Read | None = None
    event: Event | None = None
    flaw: str | None = None

    @property
    def numbered(self) -> bool:
        """Whether it has a place in its source's numbering."""
        return self.flaw is None or self.place.topic is None


def of_record(record: Record, follows: frozenset[str]) -> Item:
    """A record from Kafka, its sealed part still closed."""
    place = Place(record.topic, record.partition, record.offset)
    try:
        known = read(record.value, topic=record.topic, key=record.key)
    except Malformed as flaw:
        return Item(place, record.value, flaw=str(flaw))
    return _followed(_of_read(place, known), follows)


def read_again(kept: Item, follows: frozenset[str]) -> Item:
    """A record that was set aside, read by what the hub knows now."""
    try:
        return _followed(_of_read(kept.place, read(kept.value)), follows)
    except Malformed as flaw:
        return replace(kept, flaw=str(flaw))


def of_entry(entry: Entry) -> Item:
    """An event from its source's log, its sealed part still closed."""
    try:
        return _of_read(Place(), read(entry.value))
    except Malformed as flaw:
        return Item(Place(), entry.value, entry.source, entry.subject, entry.sequence, entry.id, flaw=str(flaw))


def open_all(items: Sequence[Item], keys: Keys) -> list[Item]:
    """The items with their events unsealed. One resolve for all; raises KeysUnavailable."""
    sealed = {item.subject for item in items if item.read is not None and item.read.sealed is not None}
    resolved = keys.of(sealed)
    opened_items = []
    for item in items:
        if item.read is None or item.flaw is not None:
            opened_items.append(item)
            continue
        try:
            opened_items.append(replace(item, event=opened(item.read, resolved.get(item.subject))))
        except Malformed as flaw:
            opened_items.append(replace(item, flaw=str(flaw)))
    return opened_items


def _followed(item: Item, follows: frozenset[str]) -> Item:
    return item if item.source in follows else replace(item, read=None, flaw="of a source this service does not follow")


def _of_read(place: Place, known: Read) -> Item:
    return Item(
        place, known.value, known.source, known.subject, known.sequence, known.id, known.envelope.type, read=known
    )
