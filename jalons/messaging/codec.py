"""Encodes and decodes events; an error about an event never repeats any of its content."""

from __future__ import annotations

import json
from dataclasses import dataclass
from uuid import UUID

from pydantic import ValidationError

from jalons.privacy.keys import GONE, Key
from jalons.privacy.national_number import free_strings, holds_control_character, holds_national_number, is_uuid
from jalons.privacy.sealing import Unsealable, seal, unseal
from schemas.catalogue import TYPES
from schemas.envelope import Envelope, Event, Payload, SealedPart, attributes
from schemas.topics import MAX_EVENT_BYTES, PATHWAYS

_ATTRIBUTE_MOST = 100
_YEARS = range(1900, 2200)
"""Years in which an event can have happened. Farther ones do not survive a change of time zone or the database."""
_NUL = b"\\u0000"
"""As JSON must write it."""


class Malformed(ValueError):
    """Not an event of the hub. The message names fields and kinds of error, never a value."""


class TooLarge(ValueError):
    """An event over 64 kB. It is refused before it is appended."""


@dataclass(frozen=True, slots=True)
class Read:
    """A decoded event whose sealed part is still sealed. value: the bytes it was decoded from."""

    envelope: Envelope
    payload: Payload
    sealed: str | None
    value: bytes

    @property
    def source(self) -> str:
        """The service whose log the event is from."""
        return self.envelope.source

    @property
    def subject(self) -> str:
        """The person or thing the event is about."""
        return self.envelope.subject

    @property
    def sequence(self) -> int:
        """Its sequence within (source, subject)."""
        return int(self.envelope.sequence)

    @property
    def id(self) -> UUID:
        """The event's id."""
        return self.envelope.id


def encode(event: Event, key: bytes | None) -> bytes:
    """The event as bytes. key: the person's key, required if the event has a sealed part. Raises TooLarge."""
    data = event.data.model_dump(mode="json", exclude_none=True)
    if event.sealed is not None:
        if key is None:
            raise ValueError(f"{event.type} has a sealed part and needs the person's key")
        clear = event.sealed.model_dump_json(exclude_none=True).encode()
        data["sealed"] = seal(key, clear, _binding(event.id, event.type, event.subject))
    envelope = attributes(event) | {"data": data}
    value = json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode()
    if len(value) > MAX_EVENT_BYTES:
        raise TooLarge(f"{event.type} takes {len(value)} bytes; an event has at most {MAX_EVENT_BYTES}")
    return value


def read(value: bytes | None, *, topic: str | None = None, key: bytes | None = None) -> Read:
    """The envelope and the open payload, upcast to its newest version. Raises Malformed.

    topic, key: of the Kafka record, if it is one; they must be those of the type, which keep its order.
    """
    if value is None:
        raise Malformed("a null value: no topic of the hub is compacted")
    if len(value) > MAX_EVENT_BYTES:
        raise Malformed(f"{len(value)} bytes: an event has at most {MAX_EVENT_BYTES}")
    try:
        envelope = Envelope.model_validate_json(value)
    except ValidationError as error:
        raise Malformed(f"not a CloudEvent: {_kinds(error)}") from None
    kind = TYPES.get(envelope.type)
    if kind is None:
        raise Malformed("of a type or version this hub does not know")
    if topic is not None and (topic != kind.TOPIC.name or key != envelope.subject.encode()):
        raise Malformed("on another topic or under another key than its type's: nothing would keep its order")
    try:
        payload = kind.model_validate(envelope.data)
    except ValidationError as error:
        raise Malformed(f"data of {kind.TYPE}: {_kinds(error)}") from None
    if said := _unstorable(envelope, kind, value):
        raise Malformed(said)
    sealed = envelope.data.get("sealed")
    if (kind.SEALED is None) != (sealed is None) or not isinstance(sealed, str | None):
        raise Malformed(f"data of {kind.TYPE}: its sealed part is missing or not expected")
    return Read(envelope, payload.upcast(), sealed, value)


def opened(read: Read, key: Key | None) -> Event:
    """The event with its sealed part unsealed, or None if the person's key was destroyed. Raises Malformed."""
    envelope = read.envelope
    sealed: SealedPart | None = None
    if read.sealed is not None and key is not GONE:
        model = type(read.payload).SEALED
        if model is None or not isinstance(key, bytes):
            raise ValueError(f"{envelope.type} needs the person's key")
        try:
            clear = unseal(key, read.sealed, _binding(envelope.id, envelope.type, envelope.subject))
            sealed = model.model_validate_json(clear)
        except Unsealable as error:
            raise Malformed(str(error)) from None
        except ValidationError as error:
            raise Malformed(f"sealed part of {envelope.type}: {_kinds(error)}") from None
    return Event(
        id=envelope.id,
        source=envelope.source,
        subject=envelope.subject,
        sequence=read.sequence,
        time=envelope.time,
        recorded=envelope.recordedtime,
        partner=envelope.partner,
        correlation=envelope.correlationid,
        causation=envelope.causationid,
        data=read.payload,
        sealed=sealed,
        traceparent=envelope.traceparent,
    )


def _unstorable(envelope: Envelope, kind: type[Payload], value: bytes) -> str | None:
    """Why no service could keep this event, whatever its handler does with it; None if it could."""
    texts = {
        "source": envelope.source,
        "subject": envelope.subject,
        "partner": envelope.partner,
        "partitionkey": envelope.partitionkey,
        "traceparent": envelope.traceparent or "",
    }
    for name, text in texts.items():
        if len(text) > _ATTRIBUTE_MOST or holds_control_character(text):
            return f"{name} is too long or has a control character"
    if holds_national_number(envelope.subject) and not is_uuid(envelope.subject):
        return "subject looks like a national number"
    if kind.TOPIC == PATHWAYS and (not is_uuid(envelope.subject) or envelope.subject != envelope.subject.lower()):
        return "subject is no person's ref"
    if envelope.time.year not in _YEARS or envelope.recordedtime.year not in _YEARS:
        return "of a year in which no event can have happened"
    if _NUL in value and any("\x00" in text for text in free_strings(envelope.data)):
        return f"data of {kind.TYPE}: a NUL, which no database keeps"
    return None


def _binding(event_id: UUID, type_: str, subject: str) -> str:
    """The data a sealed part is authenticated with: moved to another event, it cannot be unsealed."""
    return f"{event_id}|{type_}|{subject}"


def _kinds(error: ValidationError) -> str:
    """The fields and kinds of the first errors, without the input."""
    found = [f"{'.'.join(map(str, e['loc'])) or 'value'} {e['type']}" for e in error.errors(include_input=False)[:5]]
    return "; ".join(found)
