"""An item is a record or log entry on its way through delivery, with what could be decoded of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from jalons.messaging.codec import Malformed, Read, opened, read
from jalons.privacy.keys import GONE, NOBODY_KNOWS, Key, Keys
from schemas.beneficiary import ErasedV1
from schemas.envelope import Event

_NO_ID = UUID(int=0)
NOT_ERASED = "says that a person is erased whose key referrals still has: nothing was erased"


class Unreadable(Exception):
    """The next event of a subject, as its own source wrote it, cannot be decoded or opened."""


@dataclass(frozen=True, slots=True)
class Record:
    """A Kafka record. source: its header of that name, by which a record is dropped without being decoded."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """An event from its source's own log. It has its sequence even if this reader cannot decode it."""

    source: str
    subject: str
    sequence: int
    id: UUID
    value: bytes


@dataclass(frozen=True, slots=True)
class Place:
    """A record's coordinates on Kafka; all None for an event fetched from its source's log."""

    topic: str | None = None
    partition: int | None = None
    offset: int | None = None

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}@{self.offset}" if self.topic else "its source's log"


@dataclass(frozen=True, slots=True)
class Item:
    """One record or log entry. flaw: why it cannot be decoded; locked: why it could be decoded but not opened. `event`
    is None in both cases.

    The sequence of a flawed Kafka record cannot be trusted; that of a flawed log entry can.
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
    locked: str | None = None

    @property
    def numbered(self) -> bool:
        """Whether its sequence can be trusted."""
        return self.flaw is None or self.place.topic is None

    @property
    def entry(self) -> Entry:
        """A stored item as its source's log would give it."""
        return Entry(self.source, self.subject, self.sequence, self.id, self.value or b"")

    def not_in_its_log(self) -> Item:
        """This item, flawed because its source did not write it."""
        return self.flawed("not in its source's numbering")

    def readable(self) -> Event:
        """Its event. Raises Unreadable."""
        if self.event is None:
            raise Unreadable(self.flaw or self.locked)
        return self.event

    @property
    def erases(self) -> bool:
        """Whether it says that a person is erased."""
        return self.read is not None and isinstance(self.read.payload, ErasedV1)

    def flawed(self, why: str) -> Item:
        """This item, to be set aside for a reason that is not in it."""
        return replace(self, flaw=why, read=None)


def of_record(record: Record, follows: frozenset[str]) -> Item:
    """A Kafka record, its sealed part still sealed. Never raises: anybody may have written it."""
    place = Place(record.topic, record.partition, record.offset)
    try:
        known = read(record.value, topic=record.topic, key=record.key)
    except Malformed as flaw:
        return Item(place, record.value, flaw=str(flaw))
    except Exception as error:  # noqa: BLE001 - see above
        return Item(place, record.value, flaw=f"cannot be read: {type(error).__name__}")
    return _followed(_of_read(place, known), follows)


def read_again(stored: Item, follows: frozenset[str]) -> Item:
    """A record that was set aside, decoded again: this version may know its type."""
    try:
        return _followed(_of_read(stored.place, read(stored.value)), follows)
    except Malformed as flaw:
        return replace(stored, flaw=str(flaw))


def of_entry(entry: Entry) -> Item:
    """An event from its source's log, its sealed part still sealed."""
    try:
        return _of_read(Place(), read(entry.value))
    except Malformed as flaw:
        return Item(Place(), entry.value, entry.source, entry.subject, entry.sequence, entry.id, flaw=str(flaw))


def open_all(items: Sequence[Item], keys: Keys) -> list[Item]:
    """The items with their events unsealed; one whose person's key nobody knows is locked, alone. Resolves all keys at
    once, and those of persons said to be erased past the cache: an erasure is one only if the key is destroyed. Raises
    KeysUnavailable."""
    resolved = keys.known({item.subject for item in items if item.read is not None and item.read.sealed is not None})
    erased = keys.asked_now({item.subject for item in items if item.erases})
    return [_opened(item, resolved, erased) for item in items]


def _opened(item: Item, resolved: Mapping[str, Key], erased: Mapping[str, Key]) -> Item:
    if item.read is None or item.flaw is not None:
        return item
    if item.erases and erased.get(item.subject) is not GONE:
        return replace(item, locked=NOT_ERASED if item.subject in erased else NOBODY_KNOWS)
    if item.read.sealed is not None and item.subject not in resolved:
        return replace(item, locked=NOBODY_KNOWS)
    try:
        return replace(item, event=opened(item.read, resolved.get(item.subject)), locked=None)
    except Malformed as flaw:
        return replace(item, flaw=str(flaw))


def _followed(item: Item, follows: frozenset[str]) -> Item:
    return item if item.source in follows else replace(item, read=None, flaw="of a source this service does not follow")


def _of_read(place: Place, known: Read) -> Item:
    return Item(
        place, known.value, known.source, known.subject, known.sequence, known.id, known.envelope.type, read=known
    )
