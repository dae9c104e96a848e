"""A creating call and its answer are kept in one transaction, so that a repeat gets the same answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import Connection

from jalons.database import one
from jalons.inserts import Inserts, Into


class StillRunning(Exception):
    """The same key is at work in another transaction."""


class OtherRequest(Exception):
    """The key was used for another request."""


KEPT = Into(
    "idempotency",
    "client_id text, key text, request bytea, status int, call_id uuid, answer jsonb, at timestamptz",
    taken={"idempotency_pkey": StillRunning},
)
"""Taken: committed between our look and our lock; the repeat will see it."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What was answered."""

    status: int
    call_id: UUID
    answer: dict[str, Any]


def begin(conn: Connection, client_id: str, key: str, request: bytes) -> Stored | None:
    """The stored answer of a repeat; None for a new key, which is then held until the transaction ends.

    Raises StillRunning and OtherRequest. Lock and look are one statement, whose look may be older than its lock: `keep`
    catches that.
    """
    found = one(
        conn,
        "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 1)) AS mine, i.* FROM (SELECT 1) AS always"
        " LEFT JOIN idempotency i ON i.client_id = %s AND i.key = %s",
        (f"{client_id} {key}", client_id, key),
    )
    if not found.mine:
        raise StillRunning
    if found.request is None:
        return None
    if bytes(found.request) != request:
        raise OtherRequest
    return Stored(found.status, found.call_id, found.answer)


def keep(rows: Inserts, client_id: str, key: str, request: bytes, stored: Stored, now: datetime) -> None:
    """Keep a 2xx answer; it holds no secret. Written, it raises StillRunning where another call kept one meanwhile."""
    rows.add(KEPT, (client_id, key, request, stored.status, stored.call_id, Jsonb(stored.answer), now))
