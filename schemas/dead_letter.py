"""Events of dead letters: where a record is and why it failed, never its content."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from schemas.envelope import Payload
from schemas.topics import DEAD_LETTERS, Topic


class DeadLetterEvent(Payload):
    """The service that read the record, its place on Kafka (none if it came from the source's log), and the reason."""

    TOPIC: ClassVar[Topic] = DEAD_LETTERS

    dead_letter_id: UUID
    service: str
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    reason: str


class SetAsideV1(DeadLetterEvent):
    """A record was set aside: undecodable, of an unknown type or version, or outside its source's numbering."""

    TYPE: ClassVar[str] = "jalons.dead_letter.set_aside.v1"


class ParkedV1(DeadLetterEvent):
    """A handler could not apply an event; later events of its subject wait behind it."""

    TYPE: ClassVar[str] = "jalons.dead_letter.parked.v1"
