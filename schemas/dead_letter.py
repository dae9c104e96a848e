"""That a record was set aside or an event parked: where it stands and why, never what it holds."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from schemas.envelope import Payload
from schemas.topics import DEAD_LETTERS, Topic


class DeadLetterEvent(Payload):
    """Which service met the record, where on Kafka (unless it came from its source's log), and why; no content."""

    TOPIC: ClassVar[Topic] = DEAD_LETTERS

    dead_letter_id: UUID
    service: str
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    reason: str


class SetAsideV1(DeadLetterEvent):
    """A record nobody waits for: undecodable, of an unknown type or version, or outside its source's numbering."""

    TYPE: ClassVar[str] = "jalons.dead_letter.set_aside.v1"


class ParkedV1(DeadLetterEvent):
    """An event a handler could not apply; later ones of its subject wait behind it."""

    TYPE: ClassVar[str] = "jalons.dead_letter.parked.v1"
