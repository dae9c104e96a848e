"""A creating call and what it made are stored in one transaction, so that a repeated call makes nothing more.

Of a person only the id is stored: what may be shown is decided when the call is repeated.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert, select

from jalons.database import unique_errors
from jalons.postgres import try_lock
from services.referrals.tables import idempotency


class StillRunning(Exception):
    """Another transaction is working on the same key."""


class Forgotten(Exception):
    """What the call made is of a person who was erased since."""


class OtherRequest(Exception):
    """The key was used for a different request."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored answer. call_id: the call that was answered."""

    status: int
    call_id: UUID
    answer: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Once:
    """A request to be done once. client_id: whose key it is; key: its hash; request: its fingerprint."""

    client_id: str
    key: str
    request: bytes


def stored_key(key: str) -> str:
    """A key as it is stored: its hash, since a caller may put any text into it."""
    return hashlib.sha256(key.encode()).hexdigest()


def begin(conn: Connection, once: Once) -> Stored | None:
    """The stored answer of a repeated call; None for a new key, which stays locked until the transaction ends.

    Raises StillRunning and OtherRequest. It must come first in the transaction: a repeated call is then refused at
    once, and does not queue for the row locks that the first call waits for.
    """
    if not try_lock(conn, f"idempotency {once.client_id} {once.key}"):
        raise StillRunning
    same_key = (idempotency.c.client_id == once.client_id) & (idempotency.c.key == once.key)
    row = conn.execute(select(idempotency).where(same_key)).one_or_none()
    if row is None:
        return None
    if bytes(row.request) != once.request:
        raise OtherRequest
    return Stored(row.status, row.call_id, row.answer)


def keep(conn: Connection, once: Once, stored: Stored, now: datetime) -> None:
    """Store a 2xx answer, which holds no secret. Raises StillRunning if another call stored one meanwhile."""
    with unique_errors({"idempotency_pkey": StillRunning}):
        conn.execute(
            insert(idempotency).values(
                client_id=once.client_id,
                key=once.key,
                request=once.request,
                status=stored.status,
                call_id=stored.call_id,
                answer=stored.answer,
                at=now,
            )
        )
