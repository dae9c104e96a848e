"""Clients and signing keys; secrets are kept only as hashes, private keys only encrypted."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from jalons.postgres import lock
from services.referrals.tables import clients as _clients
from services.referrals.tables import partners
from services.referrals.tables import signing_keys as _signing_keys


@dataclass(frozen=True, slots=True)
class Client:
    """A partner's system that may ask for tokens."""

    client_id: str
    partner: str
    secret_hash: bytes
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair. state: `current` signs, `next` is published ahead of its use, `retired` only verifies."""

    kid: str
    state: str
    private: str
    public: dict[str, Any]


def client(conn: Connection, client_id: str) -> Client | None:
    """A client that is not revoked and whose partner is in the network."""
    row = conn.execute(
        select(_clients.c.client_id, _clients.c.partner, _clients.c.secret_hash, _clients.c.scopes)
        .join(partners, partners.c.slug == _clients.c.partner)
        .where(
            _clients.c.client_id == client_id,
            _clients.c.revoked.is_(None),
            partners.c.status.in_(("candidate", "active")),
        )
    ).first()
    return Client(row.client_id, row.partner, row.secret_hash, tuple(row.scopes)) if row else None


def add_client(conn: Connection, made: Client, now: datetime) -> None:
    """Record a client."""
    conn.execute(insert(_clients).values({**asdict(made), "scopes": list(made.scopes), "created": now}))


def clients(conn: Connection, partner: str) -> list[dict[str, Any]]:
    """A partner's clients, without their secrets, oldest first."""
    rows = conn.execute(
        select(_clients.c.client_id, _clients.c.scopes, _clients.c.created, _clients.c.revoked)
        .where(_clients.c.partner == partner)
        .order_by(_clients.c.created)
    ).mappings()
    return [dict(row) for row in rows]


def revoke(conn: Connection, partner: str, client_id: str, now: datetime) -> bool:
    """Revoke a client: it gets no more tokens. False if the partner has no client of that id."""
    done = conn.execute(
        update(_clients)
        .where(_clients.c.partner == partner, _clients.c.client_id == client_id)
        .values(revoked=func.coalesce(_clients.c.revoked, now))
    )
    return done.rowcount > 0


def signing_keys(conn: Connection) -> list[SigningKey]:
    """All signing keys."""
    keys = _signing_keys.c
    return [SigningKey(*row) for row in conn.execute(select(keys.kid, keys.state, keys.private, keys.public))]


def replace_signing_keys(conn: Connection, keys: list[SigningKey], now: datetime) -> None:
    """Replace all signing keys by these."""
    conn.execute(delete(_signing_keys))
    conn.execute(insert(_signing_keys), [{**asdict(key), "created": now} for key in keys])


def lock_signing_keys(conn: Connection) -> None:
    """Lock the making and rotating of keys until the transaction ends."""
    lock(conn, "signing keys")
