"""Every metric of the hub, with its unit and meaning; no label ever holds a person, a URL or an address."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

EVENTS_APPENDED = Counter("jalons_events_appended", "Events written to the outbox", ["service", "type"])
EVENTS_PUBLISHED = Counter("jalons_events_published", "Events the broker acknowledged", ["service"])
OUTBOX_WAITING = Gauge("jalons_outbox_waiting", "Events in the outbox not yet sent (rows)", ["service"])
OUTBOX_OLDEST = Gauge("jalons_outbox_oldest_seconds", "Age of the oldest event not yet sent (seconds)", ["service"])
EVENTS_DELIVERED = Counter(
    "jalons_events_delivered",
    "Records read from Kafka, by what became of them: applied, seen, waiting, set_aside, parked, retried",
    ["service", "outcome"],
)
CONSUMER_LAG = Gauge(
    "jalons_consumer_lag", "Records on the broker not yet delivered (records)", ["service", "topic", "partition"]
)
DEAD_LETTERS_OPEN = Gauge("jalons_dead_letters_open", "Dead letters not yet resolved (rows)", ["service"])
SUBJECTS_PARKED = Gauge("jalons_subjects_parked", "Subjects whose events wait behind a parked one", ["service"])
SEQUENCE_CONFLICTS = Counter(
    "jalons_sequence_conflicts", "Events with a number already applied under another id", ["service"]
)
FUSE_OPEN = Gauge("jalons_fuse_open", "1 where a partition is paused by its fuse", ["service", "topic", "partition"])
RECONCILED = Counter("jalons_reconciled", "Events the reconciler found missing and applied", ["service"])
DELIVER_SECONDS = Histogram(
    "jalons_deliver_seconds",
    "Time to apply one batch (seconds)",
    ["service"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60),
)
HTTP_SECONDS = Histogram(
    "jalons_http_requests_seconds",
    "Time to answer a request (seconds), by route template",
    ["service", "method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)
DELIVERIES = Counter("jalons_deliveries", "Attempts to deliver a message, by outcome", ["channel", "outcome"])
DEADLINES_OLDEST = Gauge(
    "jalons_deadlines_oldest_seconds",
    "How long the oldest deadline has been due that the hub has not dealt with (seconds)",
    ["service"],
)

NAMES = frozenset(
    {
        "jalons_events_appended",
        "jalons_events_published",
        "jalons_outbox_waiting",
        "jalons_outbox_oldest_seconds",
        "jalons_events_delivered",
        "jalons_consumer_lag",
        "jalons_dead_letters_open",
        "jalons_subjects_parked",
        "jalons_sequence_conflicts",
        "jalons_fuse_open",
        "jalons_reconciled",
        "jalons_deliver_seconds",
        "jalons_http_requests_seconds",
        "jalons_deliveries",
        "jalons_deadlines_oldest_seconds",
    }
)
"""The base names, without Prometheus' suffixes; dashboards and alerts may use no other."""
