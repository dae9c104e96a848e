"""Every closed delivery is announced once on `jalons.deliveries`, in the transaction that closes it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from jalons.messaging.outbox import Cause, Draft, Outbox
from jalons.postgres import lock
from jalons.process import metrics
from schemas.notification import FailedV1, NotificationEvent, SentV1, SuppressedV1
from services.notifications.deliveries.rows import Closed


def announce(conn: Connection, outbox: Outbox, closed: Sequence[Closed], now: datetime) -> None:
    """Append an event for each. Call it last in the transaction: it locks the recipients' numbering, in one order."""
    for recipient in sorted({each.recipient for each in closed}):
        lock(conn, f"deliveries {recipient}")
    drafts = [
        Draft(each.recipient, _event(each), now, "hub", Cause(each.correlation, each.event_id, each.traceparent))
        for each in closed
    ]
    outbox.append(conn, drafts, now)
    for each in closed:
        metrics.DELIVERIES.labels(each.channel, each.status).inc()


def _event(closed: Closed) -> NotificationEvent:
    about = {
        "delivery_id": closed.delivery_id,
        "about": closed.event_id,
        "about_type": closed.about_type,
        "channel": closed.channel,
        "recipient": closed.recipient,
        "attempts": closed.attempts,
    }
    if closed.status == "sent":
        return SentV1.model_validate(about)
    kind = SuppressedV1 if closed.status == "suppressed" else FailedV1
    return kind.model_validate(about | {"cause": closed.cause})
