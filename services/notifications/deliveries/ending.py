"""What became of a message is said once, on `jalons.deliveries`, in the transaction that ends it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from jalons.messaging.outbox import Cause, Draft, Outbox
from jalons.process import metrics
from schemas.notification import FailedV1, NotificationEvent, SentV1, SuppressedV1
from services.notifications.deliveries import rows as store
from services.notifications.deliveries.rows import End


def say(conn: Connection, outbox: Outbox, ends: Sequence[End], now: datetime) -> None:
    """Append an event for each message that ended. Recipients' numbering is locked here, in one order, and nothing is
    waited for afterwards: rows are changed before."""
    for recipient in sorted({end.recipient for end in ends}):
        store.lock_recipient(conn, recipient)
    drafts = [
        Draft(end.recipient, _event(end), now, "hub", Cause(end.correlation, end.event_id, end.traceparent))
        for end in ends
    ]
    outbox.append(conn, drafts, now)
    for end in ends:
        metrics.DELIVERIES.labels(end.channel, end.status).inc()


def _event(end: End) -> NotificationEvent:
    about = {
        "delivery_id": end.delivery_id,
        "about": end.event_id,
        "about_type": end.about_type,
        "channel": end.channel,
        "recipient": end.recipient,
        "attempts": end.attempts,
    }
    if end.status == "sent":
        return SentV1.model_validate(about)
    kind = SuppressedV1 if end.status == "suppressed" else FailedV1
    return kind.model_validate(about | {"cause": end.cause})
