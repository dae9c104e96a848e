"""Documents answers that routes put together themselves: a table says, by method and path, what form an answer has.

The forms are TypedDicts: a field that some readers are not shown is absent, never null. Nothing is checked when an
answer is sent; the tests check every answer they receive against its document.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Generic, Literal, NotRequired, TypeVar
from uuid import UUID

from pydantic import ConfigDict, TypeAdapter
from typing_extensions import TypedDict  # pydantic reads no other before Python 3.12

Item = TypeVar("Item")
Answers = Mapping[tuple[str, str], Any]
"""(method, path) → the form of its JSON answer."""


class Note(TypedDict):
    """A value of the call that was read as another. code: which case it is; further members say which value."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]

    code: str
    note: str


class Shown(TypedDict):
    """notes: on values of the call that were read as others; absent if there are none."""

    notes: NotRequired[list[Note]]


class Page(TypedDict, Generic[Item]):
    """A page of a list. next: the cursor of the next page; absent or null at the end."""

    items: list[Item]
    next: NotRequired[str | None]


class Items(TypedDict, Generic[Item]):
    """A list that has no pages."""

    items: list[Item]


class Ready(TypedDict):
    """waits_for: why the service cannot answer; degraded: what else does not work. Both: name → sentence."""

    status: Literal["ready", "degraded", "waiting"]
    waits_for: dict[str, str]
    degraded: dict[str, str]


class CloudEvent(TypedDict):
    """A CloudEvent (1.0, structured JSON), cut to what its reader may see. cursor: what to continue after; partners and
    the coordinator get one."""

    cursor: NotRequired[str]
    specversion: Literal["1.0"]
    id: UUID
    source: str
    type: str
    time: NotRequired[str]
    recordedtime: NotRequired[str]
    subject: NotRequired[str]
    partner: NotRequired[str]
    sequence: NotRequired[str]
    partitionkey: NotRequired[str]
    correlationid: NotRequired[UUID]
    causationid: NotRequired[UUID]
    traceparent: NotRequired[str]
    datacontenttype: NotRequired[str]
    dataschema: NotRequired[str]
    data: dict[str, Any]


class LogPage(TypedDict):
    """A page of a log. next: where a poller continues, a position for the hub (scope hub); null at the hub's end."""

    items: list[CloudEvent]
    next: str | int | None


class Head(TypedDict):
    """The newest event of a subject."""

    subject: str
    sequence: int
    position: int


class Heads(TypedDict):
    """The newest event of each subject."""

    items: list[Head]


class Differing(TypedDict):
    """The subjects that differ."""

    differ: list[str]


class DeadLetter(TypedDict):
    """An event that was set aside or parked, and why. waiting: how many events of its subject wait behind it."""

    id: UUID
    kind: str
    topic: str
    partition: int
    offset: int
    source: str | None
    subject: str | None
    sequence: int | None
    type: str | None
    reason: str
    at: datetime
    attempts: int
    waiting: int
    resolved: datetime | None


class DeadLetters(TypedDict):
    """more: whether there are more than shown."""

    items: list[DeadLetter]
    more: bool


class Retried(TypedDict):
    """reason: why it is not mended; null if it is."""

    id: UUID
    mended: bool
    resolved: bool
    reason: str | None


class Forgotten(TypedDict):
    """When this service applied an erasure."""

    receipt_id: UUID
    at: datetime


SHARED: Answers = {
    ("GET", "/health/ready"): Ready,
    ("GET", "/events"): LogPage,
    ("GET", "/forgotten/{receipt_id}"): Forgotten,
    ("GET", "/events/heads"): Heads,
    ("POST", "/events/compare"): Differing,
    ("GET", "/dead-letters"): DeadLetters,
    ("GET", "/dead-letters/{letter_id}"): DeadLetter,
    ("POST", "/dead-letters/{letter_id}/retry"): Retried,
}
"""Of routes that every service may have."""


def add_answers(document: dict[str, Any], answers: Answers) -> None:
    """Give each operation of an OpenAPI document that `answers` or SHARED names the schema of its answer."""
    known = {**SHARED, **answers}
    asked = [(call, "serialization", TypeAdapter(form)) for call, form in known.items()]
    of, shared = TypeAdapter.json_schemas(asked, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    schemas = document["components"].setdefault("schemas", {})
    for name, schema in shared.get("$defs", {}).items():
        if schemas.setdefault(name, schema) != schema:
            raise ValueError(f"two forms are called {name}")
    for call, content in _json_answers(document):
        if call in known:
            content["schema"] = of[call, "serialization"]


def _json_answers(document: dict[str, Any]) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                if status.startswith("2") and "application/json" in answer.get("content", {}):
                    yield (method.upper(), path), answer["content"]["application/json"]
