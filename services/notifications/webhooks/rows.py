"""Who asked for webhooks, as rows; secrets are kept sealed, and an old one signs on for a day after its successor."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection

from jalons.database import execute, one
from jalons.privacy.sealing import seal, unseal
from services.notifications.deliveries import rows as store

OLD_SECRET_SIGNS = timedelta(hours=24)

Mode = Literal["full", "id_only"]


@dataclass(frozen=True, slots=True)
class Subscription:
    """A partner's wish to be called. status: active, paused or disabled (cause says why, as a code)."""

    partner: str
    name: str
    url: str
    types: list[str]
    mode: Mode
    status: str
    cause: str | None
    made: datetime
    changed: datetime


def live(conn: Connection) -> list[Subscription]:
    """Those that get messages: of a paused one they wait. Their rows hold still until the transaction's end, so that
    no message is made for one that is being paused or resumed."""
    rows = execute(conn, "SELECT * FROM subscriptions WHERE status <> 'disabled' FOR SHARE")
    return [Subscription(**row._asdict()) for row in rows]


def of_partner(conn: Connection, partner: str) -> list[Subscription]:
    """A partner's subscriptions, by name."""
    rows = execute(conn, "SELECT * FROM subscriptions WHERE partner = %s ORDER BY name", (partner,))
    return [Subscription(**row._asdict()) for row in rows]


def found(
    conn: Connection, partner: str, name: str, lock: Literal["", "FOR SHARE", "FOR UPDATE"] = ""
) -> Subscription | None:
    """One subscription. lock: hold it until the transaction's end, still or for oneself."""
    row = execute(
        conn,
        f"SELECT * FROM subscriptions WHERE partner = %s AND name = %s {lock}",
        (partner, name),
    ).fetchone()
    return Subscription(**row._asdict()) if row else None


def put(
    conn: Connection, partner: str, name: str, url: str, types: Sequence[str], mode: Mode, now: datetime
) -> tuple[Subscription, bool]:
    """Make or change a subscription; a disabled one becomes active, a paused one stays so. True: it is new."""
    row = one(
        conn,
        "INSERT INTO subscriptions (partner, name, url, types, mode, status, made, changed)"
        " VALUES (%s, %s, %s, %s, %s, 'active', %s, %s) ON CONFLICT (partner, name) DO UPDATE SET"
        " url = excluded.url, types = excluded.types, mode = excluded.mode, changed = excluded.changed, cause = NULL,"
        " status = CASE subscriptions.status WHEN 'disabled' THEN 'active' ELSE subscriptions.status END"
        " RETURNING *, (xmax = 0) AS is_new",
        (partner, name, url, list(types), mode, now, now),
    )
    fields = row._asdict()
    is_new = bool(fields.pop("is_new"))
    return Subscription(**fields), is_new


def set_status(conn: Connection, partner: str, name: str, status: str, cause: str | None, now: datetime) -> None:
    """Pause, resume or disable; what waited for the resumption is due, and others look again when they are due."""
    execute(
        conn,
        "UPDATE subscriptions SET status = %s, cause = %s, changed = %s WHERE partner = %s AND name = %s",
        (status, cause, now, partner, name),
    )
    if status == "active":
        execute(
            conn,
            "UPDATE deliveries SET due_at = %s WHERE channel = 'webhook' AND recipient = %s AND subscription = %s"
            " AND status = 'waiting' AND cause = 'subscription_paused'",
            (now, partner, name),
        )
        store.wake(conn)


def new_secret(conn: Connection, key: bytes, partner: str, name: str, now: datetime) -> str:
    """Make a secret (`whsec_…`), keep it sealed, and let those before it sign for another day only. key: the hub's."""
    execute(conn, "DELETE FROM secrets WHERE partner = %s AND subscription = %s AND until <= %s", (partner, name, now))
    execute(
        conn,
        "UPDATE secrets SET until = %s WHERE partner = %s AND subscription = %s AND until IS NULL",
        (now + OLD_SECRET_SIGNS, partner, name),
    )
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    execute(
        conn,
        "INSERT INTO secrets (partner, subscription, secret, made) VALUES (%s, %s, %s, %s)",
        (partner, name, seal(key, secret.encode(), f"{partner}|{name}"), now),
    )
    return secret


def signing_secrets(conn: Connection, key: bytes, partner: str, name: str, now: datetime) -> list[str]:
    """The secrets that sign now, newest first. Raises Unsealable."""
    rows: Any = execute(
        conn,
        "SELECT secret FROM secrets WHERE partner = %s AND subscription = %s AND (until IS NULL OR until > %s)"
        " ORDER BY made DESC",
        (partner, name, now),
    )
    return [unseal(key, row.secret, f"{partner}|{name}").decode() for row in rows]
