"""The topics: one per ordering key, so that the events of one person arrive in order."""

from __future__ import annotations

from dataclasses import dataclass

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
"""The limit of broker, producer and consumer alike; a record within it can be read, if only to be set aside."""
MAX_EVENT_BYTES = 64 * 1024
"""A larger event is refused when it is appended, and set aside when it is read."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic; never compacted nor repartitioned, which would break the order of a key.

    writers, readers: the services that may; the broker refuses all others. retention_days: None keeps records for ever.
    """

    name: str
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    key: str
    partitions: int
    retention_days: int | None


_FOLLOWERS = ("observation", "notifications")

PATHWAYS = Topic("jalons.pathways", ("referrals", "observation"), _FOLLOWERS, "the person's ref", 12, None)
DIRECTORY = Topic(
    "jalons.directory", ("referrals",), _FOLLOWERS, "the partner's, convention's, offer's or need's id", 3, None
)
DELIVERIES = Topic("jalons.deliveries", ("notifications",), (), "the partner told", 3, 30)
DEAD_LETTERS = Topic("jalons.dead-letters", _FOLLOWERS, (), "the dead letter's id", 1, 30)

TOPICS = (PATHWAYS, DIRECTORY, DELIVERIES, DEAD_LETTERS)
