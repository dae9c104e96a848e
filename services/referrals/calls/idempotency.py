"""A creating call and its answer are kept in one transaction, so that a repeat gets the same answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import Connection

from jalons.database import execute, given
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


@dataclass(frozen=True, slots=True)
class Once:
    """A request that is to be done once. client_id: whose key it is; request: its fingerprint."""

    client_id: str
    key: str
    request: bytes


def begin(conn: Connection, asked: Sequence[Once]) -> list[Stored | None]:
    """For each, the stored answer of a repeat; None for a new key, which is then held until the transaction ends.

    asked: each key once. Raises StillRunning and OtherRequest. Lock and look are one statement, whose look may be older
    than its lock: `keep` catches that. Nothing else goes with it that may wait: a repeat would queue for what the first
    one waits for.
    """
    rows, values = given("text text", [(each.client_id, each.key) for each in asked])
    found = execute(
        conn,
        "SELECT k.client_id, k.key, i.request, i.status, i.call_id, i.answer,"
        " pg_try_advisory_xact_lock(hashtextextended(k.client_id || ' ' || k.key, 1)) AS mine"
        f" FROM {rows} AS k(client_id, key)"
        " LEFT JOIN idempotency i ON i.client_id = k.client_id AND i.key = k.key",
        values,
    )
    by_key = {(row.client_id, row.key): row for row in found}
    return [_stored(by_key[each.client_id, each.key], each.request) for each in asked]


def _stored(found: Any, request: bytes) -> Stored | None:
    if not found.mine:
        raise StillRunning
    if found.request is None:
        return None
    if bytes(found.request) != request:
        raise OtherRequest
    return Stored(found.status, found.call_id, found.answer)


def keep(rows: Inserts, asked: Once, stored: Stored, now: datetime) -> None:
    """Keep a 2xx answer; it holds no secret. Written, it raises StillRunning where another call kept one meanwhile."""
    kept = (stored.status, stored.call_id, Jsonb(stored.answer), now)
    rows.add(KEPT, (asked.client_id, asked.key, asked.request, *kept))
