"""Events of messages: that one was sent, failed or was suppressed, never its text."""

from __future__ import annotations

from typing import ClassVar, Literal
from uuid import UUID

from schemas.codes import Slug
from schemas.envelope import Payload
from schemas.topics import DELIVERIES, Topic

Channel = Literal["email", "webhook"]


class NotificationEvent(Payload):
    """A message to a partner about an event. about: that event's id."""

    TOPIC: ClassVar[Topic] = DELIVERIES

    delivery_id: UUID
    about: UUID
    about_type: str
    channel: Channel
    recipient: Slug
    attempts: int


class SentV1(NotificationEvent):
    """The recipient's server accepted the message."""

    TYPE: ClassVar[str] = "jalons.notification.sent.v1"


class SuppressedV1(NotificationEvent):
    """The message was not sent, as expected; no action is needed. cause: a code."""

    TYPE: ClassVar[str] = "jalons.notification.suppressed.v1"

    cause: str


class FailedV1(NotificationEvent):
    """The message was given up after its last attempt. cause: a code, never an address."""

    TYPE: ClassVar[str] = "jalons.notification.failed.v1"

    cause: str
