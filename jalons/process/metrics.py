"""Every metric of the hub, with unit and meaning. No label holds a person, a URL or an address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from prometheus_client import Counter, Gauge, Histogram

M = TypeVar("M", Counter, Gauge, Histogram)


@dataclass(frozen=True, slots=True)
class Declared:
    """What the documents and tests read of a metric. name: without Prometheus' suffixes."""

    kind: type
    name: str
    meaning: str
    labels: tuple[str, ...]


METRICS: list[Declared] = []
"""Every metric; dashboards and alerts may use no other name."""


def _declare(kind: type[M], name: str, meaning: str, *labels: str, **options: Any) -> M:
    METRICS.append(Declared(kind, name, meaning, labels))
    return kind(name, meaning, labels, **options)


EVENTS_APPENDED = _declare(Counter, "jalons_events_appended", "Events written to the outbox", "service", "type")
EVENTS_PUBLISHED = _declare(Counter, "jalons_events_published", "Events the broker acknowledged", "service")
OUTBOX_WAITING = _declare(Gauge, "jalons_outbox_waiting", "Events in the outbox not yet sent (rows)", "service")
OUTBOX_OLDEST = _declare(
    Gauge, "jalons_outbox_oldest_seconds", "Age of the oldest event not yet sent (seconds)", "service"
)
EVENTS_DELIVERED = _declare(
    Counter,
    "jalons_events_delivered",
    "Records read from Kafka, by outcome: applied, seen, waiting, set_aside, parked, retried",
    "service",
    "outcome",
)
CONSUMER_LAG = _declare(
    Gauge, "jalons_consumer_lag", "Records on the broker not yet delivered (records)", "service", "topic", "partition"
)
DEAD_LETTERS_OPEN = _declare(Gauge, "jalons_dead_letters_open", "Dead letters not yet resolved (rows)", "service")
SUBJECTS_PARKED = _declare(Gauge, "jalons_subjects_parked", "Subjects whose events wait behind a parked one", "service")
SEQUENCE_CONFLICTS = _declare(
    Counter, "jalons_sequence_conflicts", "Events with a number already applied under another id", "service"
)
FORGED = _declare(
    Counter, "jalons_forged", "Events that were applied although their source did not write them", "service"
)
FORGED_OPEN = _declare(
    Gauge, "jalons_forged_open", "Open dead letters of events that their source did not write (rows)", "service"
)
BATCH_WAITING = _declare(
    Gauge, "jalons_batch_waiting_seconds", "Time the batch in hand has waited to be applied (seconds)", "service"
)
TOPIC_MISSING = _declare(
    Gauge,
    "jalons_topic_missing",
    "Events sent to a topic that the broker no longer holds (records)",
    "service",
    "topic",
)
SENDING_REFUSED = _declare(
    Gauge, "jalons_sending_refused", "1 where the broker took none of the last batch of events", "service"
)
FUSE_OPEN = _declare(
    Gauge, "jalons_fuse_open", "1 where a partition is paused by its fuse", "service", "topic", "partition"
)
RECONCILED = _declare(Counter, "jalons_reconciled", "Events the reconciler found missing and applied", "service")
DELIVER_SECONDS = _declare(
    Histogram,
    "jalons_deliver_seconds",
    "Time to apply one batch (seconds)",
    "service",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60),
)
HTTP_SECONDS = _declare(
    Histogram,
    "jalons_http_requests_seconds",
    "Time to answer a request (seconds), by route template",
    "service",
    "method",
    "route",
    "status",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)
DELIVERIES = _declare(Counter, "jalons_deliveries", "Attempts to deliver a message, by outcome", "channel", "outcome")
DEADLINES_OLDEST = _declare(
    Gauge,
    "jalons_deadlines_oldest_seconds",
    "Age of the oldest overdue deadline (seconds)",
    "service",
)
BACKUP_MADE = _declare(
    Gauge,
    "jalons_backup_made_timestamp_seconds",
    "Time of the newest nightly backup, or of the hub's first event before there is one, since 1970 (seconds)",
)
DEGRADED = _declare(
    Gauge,
    "jalons_degraded",
    "1 where a part of the service is silent or keeps failing, or a dependency is away",
    "service",
    "part",
)


ZEROS: dict[str, tuple[tuple[Counter, tuple[tuple[str, ...], ...]], ...]] = {
    "observation": (
        (SEQUENCE_CONFLICTS, (("observation",),)),
        (RECONCILED, (("observation",),)),
    ),
    "notifications": (
        (SEQUENCE_CONFLICTS, (("notifications",),)),
        (RECONCILED, (("notifications",),)),
        (DELIVERIES, tuple((channel, "failed") for channel in ("email", "webhook"))),
    ),
}
"""Service → counters that alerts watch, with their labels: they stand at 0 from the start, since `increase` of a
counter that was not there before sees nothing of its first step."""


def begin_at_zero(service: str) -> None:
    """Have a service's watched counters exist before they count."""
    for counter, labels in ZEROS.get(service, ()):
        for each in labels:
            counter.labels(*each)
