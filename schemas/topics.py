"""Topics as data: one per ordering key, so that all that concerns one person arrives in order."""

from __future__ import annotations

from dataclasses import dataclass

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
"""What broker, producer and consumer accept alike; anything that fits can be read, if only to be set aside."""
MAX_EVENT_BYTES = 64 * 1024
"""An event over this is refused when it is appended, and set aside when it is read."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic; never compacted, never repartitioned (both would break the order of a key).

    retention_days: None keeps for ever.
    """

    name: str
    owner: str
    key: str
    partitions: int
    retention_days: int | None


PATHWAYS = Topic("jalons.pathways", "referrals and observation", "the person's ref", 12, None)
DIRECTORY = Topic("jalons.directory", "referrals", "the partner's, convention's, offer's or need's id", 3, None)
DELIVERIES = Topic("jalons.deliveries", "notifications", "the partner told", 3, 30)
DEAD_LETTERS = Topic("jalons.dead-letters", "every consuming service", "the dead letter's id", 1, 30)

TOPICS = (PATHWAYS, DIRECTORY, DELIVERIES, DEAD_LETTERS)
