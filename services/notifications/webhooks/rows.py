"""Subscriptions and their secrets as rows; a secret is kept sealed, and signs for a day after it is rotated."""

from __future__ import annotations

import base64
import secrets as random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Row, Select, and_, case, delete, null, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from jalons.privacy.sealing import seal, unseal
from services.notifications.deliveries import rows as deliveries
from services.notifications.tables import secrets, subscriptions

ROTATED_SECRET_SIGNS = timedelta(hours=24)

Mode = Literal["full", "id_only"]


@dataclass(frozen=True, slots=True)
class Subscription:
    """A partner's webhook. status: active, paused or disabled; cause: why it is disabled, a code of `causes`."""

    partner: str
    name: str
    url: str
    types: list[str]
    mode: Mode
    status: str
    cause: str | None
    made: datetime
    changed: datetime


def enabled(conn: Connection) -> list[Subscription]:
    """Those that deliveries are made for; to a paused one they wait. Locked until the transaction ends, so that no
    delivery is made for one that is being paused or resumed."""
    return _read(conn, select(subscriptions).where(subscriptions.c.status != "disabled").with_for_update(read=True))


def of_partner(conn: Connection, partner: str) -> list[Subscription]:
    """A partner's subscriptions, by name."""
    own = select(subscriptions).where(subscriptions.c.partner == partner)
    return _read(conn, own.order_by(subscriptions.c.name))


def find(
    conn: Connection, partner: str, name: str, *, lock: Literal["share", "update"] | None = None
) -> Subscription | None:
    """One subscription. lock: until the transaction ends."""
    one = select(subscriptions).where(_is(partner, name))
    return next(iter(_read(conn, one.with_for_update(read=lock == "share") if lock else one)), None)


def put(
    conn: Connection, partner: str, name: str, url: str, types: Sequence[str], mode: Mode, now: datetime
) -> tuple[Subscription, bool]:
    """Create or change a subscription; a disabled one becomes active, a paused one stays paused. True: it is new."""
    given: dict[str, Any] = {"url": url, "types": list(types), "mode": mode, "changed": now}
    creating = insert(subscriptions).values(partner=partner, name=name, status="active", made=now, **given)
    created = conn.execute(creating.on_conflict_do_nothing().returning(subscriptions)).one_or_none()
    if created is not None:
        return _subscription(created), True
    status = case((subscriptions.c.status == "disabled", "active"), else_=subscriptions.c.status)
    changing = update(subscriptions).where(_is(partner, name)).values(cause=null(), status=status, **given)
    return _subscription(conn.execute(changing.returning(subscriptions)).one()), False


def set_status(conn: Connection, partner: str, name: str, status: str, cause: str | None, now: datetime) -> None:
    """Pause, resume or disable. A resumption makes due what waited for it."""
    conn.execute(update(subscriptions).where(_is(partner, name)).values(status=status, cause=cause, changed=now))
    if status == "active":
        deliveries.resume(conn, partner, name, now)


def new_secret(conn: Connection, key: bytes, partner: str, name: str, now: datetime) -> str:
    """Create a secret (`whsec_…`) and keep it sealed; earlier ones sign for another day. key: the hub's."""
    own = and_(secrets.c.partner == partner, secrets.c.subscription == name)
    conn.execute(delete(secrets).where(own, secrets.c.until <= now))
    conn.execute(update(secrets).where(own, secrets.c.until.is_(None)).values(until=now + ROTATED_SECRET_SIGNS))
    secret = "whsec_" + base64.b64encode(random.token_bytes(32)).decode()
    sealed = seal(key, secret.encode(), f"{partner}|{name}")
    conn.execute(insert(secrets).values(partner=partner, subscription=name, secret=sealed, made=now))
    return secret


def signing_secrets(conn: Connection, key: bytes, partner: str, name: str, now: datetime) -> list[str]:
    """The secrets that sign now, newest first. Raises Unsealable."""
    own = and_(secrets.c.partner == partner, secrets.c.subscription == name)
    valid = select(secrets.c.secret).where(own, or_(secrets.c.until.is_(None), secrets.c.until > now))
    found = conn.scalars(valid.order_by(secrets.c.made.desc()))
    return [unseal(key, sealed, f"{partner}|{name}").decode() for sealed in found]


def _is(partner: str, name: str) -> Any:
    return and_(subscriptions.c.partner == partner, subscriptions.c.name == name)


def _read(conn: Connection, chosen: Select[Any]) -> list[Subscription]:
    return [_subscription(row) for row in conn.execute(chosen)]


def _subscription(row: Row[Any]) -> Subscription:
    return Subscription(**row._mapping)
