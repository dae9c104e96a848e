"""The envelope of every event: CloudEvents 1.0, structured JSON, with the documented extensions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints

from schemas.codes import FinerCode
from schemas.topics import Topic

CONTENT_TYPE = "application/cloudevents+json"


class SealedPart(BaseModel):
    """Fields that tell something about a person: ciphertext under that person's key on the wire."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Reasoned(SealedPart):
    """A sealed part with a `reason` of a closed list. finer: the network's own code below that reason, which a reader
    may ignore."""

    finer: FinerCode | None = None


class Payload(BaseModel):
    """The open part of an event's `data`. Readers ignore fields they do not know, so a field can be added freely.

    TYPE: the event's type, with its version. TOPIC: the topic it is written to. SEALED: the model of its sealed part,
    if it has one. Who sees which field is a table in `jalons.privacy.visibility`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    TYPE: ClassVar[str]
    TOPIC: ClassVar[Topic]
    SEALED: ClassVar[type[SealedPart] | None] = None

    def upcast(self) -> Payload:
        """This payload as the newest version of its type; an old version overrides it."""
        return self


@dataclass(frozen=True, slots=True)
class Event:
    """An event as handlers get it. `sealed` is None if the type has no sealed part or the person's key is destroyed.

    time: when it happened; recorded: when the hub recorded it (both aware). sequence: 1, 2, 3 … per (source, subject).
    partner: the partner that acted. causation: the id of the call or event that caused it; correlation: of the first
    call of that chain.
    """

    id: UUID
    source: str
    subject: str
    sequence: int
    time: datetime
    recorded: datetime
    partner: str
    correlation: UUID
    causation: UUID
    data: Payload
    sealed: SealedPart | None = None
    traceparent: str | None = None

    @property
    def type(self) -> str:
        """The type on the wire."""
        return self.data.TYPE


class Envelope(BaseModel):
    """The event as it is on the wire; `data` is not decoded.

    Kafka headers repeat `content-type`, `source` and `type`, so that a reader can skip a record without decoding it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: Literal["1.0"] = "1.0"
    id: UUID
    source: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    type: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    subject: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    time: AwareDatetime
    datacontenttype: Literal["application/json"] = "application/json"
    recordedtime: AwareDatetime
    sequence: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,17}$")]
    partitionkey: str
    correlationid: UUID
    causationid: UUID
    partner: str
    traceparent: str | None = None
    data: dict[str, Any]


def attributes(event: Event) -> dict[str, Any]:
    """An event's attributes in wire form, without `data`."""
    found: dict[str, Any] = {
        "specversion": "1.0",
        "id": str(event.id),
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "time": event.time.isoformat(),
        "datacontenttype": "application/json",
        "recordedtime": event.recorded.isoformat(),
        "sequence": str(event.sequence),
        "partitionkey": event.subject,
        "correlationid": str(event.correlation),
        "causationid": str(event.causation),
        "partner": event.partner,
    }
    if event.traceparent:
        found["traceparent"] = event.traceparent
    return found
