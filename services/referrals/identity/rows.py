"""Clients and signing keys; secrets only as hashes, private keys only encrypted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy import Connection

from jalons.database import execute


@dataclass(frozen=True, slots=True)
class Client:
    """A partner's system that may ask for tokens."""

    client_id: str
    partner: str
    secret_hash: bytes
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair. state: the current one signs, the next is published ahead, the retired still verifies."""

    kid: str
    state: str
    private: str
    public: dict[str, Any]


def client(conn: Connection, client_id: str) -> Client | None:
    """A client that was not revoked and whose partner is still in the network."""
    row = execute(
        conn,
        "SELECT c.client_id, c.partner, c.secret_hash, c.scopes FROM clients c JOIN partners p ON p.slug = c.partner"
        " WHERE c.client_id = %s AND c.revoked IS NULL AND p.status IN ('candidate', 'active')",
        (client_id,),
    ).fetchone()
    return Client(row.client_id, row.partner, bytes(row.secret_hash), tuple(row.scopes)) if row else None


def add_client(conn: Connection, made: Client, now: datetime) -> None:
    """Record a client."""
    execute(
        conn,
        "INSERT INTO clients (client_id, partner, secret_hash, scopes, created) VALUES (%s, %s, %s, %s, %s)",
        (made.client_id, made.partner, made.secret_hash, list(made.scopes), now),
    )


def clients(conn: Connection, partner: str) -> list[dict[str, Any]]:
    """A partner's clients, without anything secret."""
    rows = execute(
        conn, "SELECT client_id, scopes, created, revoked FROM clients WHERE partner = %s ORDER BY created", (partner,)
    )
    return [row._asdict() for row in rows]


def revoke(conn: Connection, partner: str, client_id: str, now: datetime) -> bool:
    """A client gets no token any more; False if the partner has none of that id."""
    done = execute(
        conn,
        "UPDATE clients SET revoked = coalesce(revoked, %s) WHERE partner = %s AND client_id = %s",
        (now, partner, client_id),
    )
    return done.rowcount > 0


def signing_keys(conn: Connection) -> list[SigningKey]:
    """Every key."""
    rows = execute(conn, "SELECT kid, state, private, public FROM signing_keys")
    return [SigningKey(row.kid, row.state, row.private, row.public) for row in rows]


def replace_signing_keys(conn: Connection, keys: list[SigningKey], now: datetime) -> None:
    """These and no others."""
    execute(conn, "DELETE FROM signing_keys")
    for key in keys:
        execute(
            conn,
            "INSERT INTO signing_keys (kid, state, private, public, created) VALUES (%s, %s, %s, %s, %s)",
            (key.kid, key.state, key.private, Jsonb(key.public), now),
        )


def lock_signing_keys(conn: Connection) -> None:
    """One at a time makes or rotates them."""
    execute(conn, "SELECT pg_advisory_xact_lock(hashtextextended('signing keys', 0))")
