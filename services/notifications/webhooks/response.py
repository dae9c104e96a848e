"""The outcome of a call, by the response's status and Retry-After alone; the body is never read."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from services.notifications.deliveries.outcome import Deferred, Delivered, Gone, Outcome

_BUSY = frozenset({429, 503})


def outcome_of(status: int, retry_after: str | None, now: datetime) -> Outcome:
    """Standard Webhooks: 2xx succeeds, 3xx fails, 410 disables, 429 and 503 may carry Retry-After."""
    if 200 <= status < 300:
        return Delivered()
    if status == 410:
        return Gone("receiver_gone")
    if status in _BUSY:
        return Deferred("receiver_busy", _seconds(retry_after, now))
    if 300 <= status < 400:
        return Deferred("receiver_redirects")
    return Deferred("receiver_refuses" if 400 <= status < 500 else "receiver_fails")


def _seconds(retry_after: str | None, now: datetime) -> float | None:
    """Retry-After in seconds from now: a number or an HTTP date (RFC 9110, 10.2.3); None if it is neither."""
    value = (retry_after or "").strip()
    if value.isascii() and value.isdigit() and len(value) <= 9:
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds())
