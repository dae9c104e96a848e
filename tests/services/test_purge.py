"""Nothing grows for ever: each kind of row that only grows is deleted after its period, and nothing else is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from psycopg.errors import InsufficientPrivilege

from jalons.clock import now
from jalons.database import transaction
from jalons.privacy.audit import permit_purge
from jalons.process.purge import Purge, shared
from jalons.process.settings import Settings
from services.notifications import expiry as notifications
from services.referrals import expiry as referrals
from tests.support.apps import SECRET, Apps
from tests.support.network import PROFILE
from tests.support.sql import execute


@pytest.fixture
def settings(apps: Apps) -> Settings:
    return Settings(
        database_url=apps.network.info["database"], kafka="-", secret_key=SECRET, hub_client_secret="a secret"
    )


def purge(apps: Apps, service: str, settings: Settings, at: datetime) -> int:
    own = {"referrals": referrals.expiries, "notifications": notifications.expiries}.get(service, lambda _: [])
    rules = [*shared(settings, audited=service != "notifications"), *own(settings)]
    return Purge(apps.engines[service], rules, now=lambda: at).once()


def count(apps: Apps, service: str, table: str) -> int:
    return int(apps.rows(service, f"SELECT count(*) FROM {table}")[0][0])


def test_answers_to_repeated_calls_go_after_thirty_days(apps: Apps, settings: Settings) -> None:
    home, key = apps.network["cpas-hotton"], str(uuid4())
    first = home.done("POST", "/beneficiaries", {"profile": PROFILE}, key=key)
    purge(apps, "referrals", settings, now() + timedelta(days=29))
    assert home.done("POST", "/beneficiaries", {"profile": PROFILE}, key=key) == first, "kept for a repeat"
    assert purge(apps, "referrals", settings, now() + timedelta(days=31)) > 0
    assert count(apps, "referrals", "idempotency") == 0
    assert home.done("POST", "/beneficiaries", {"profile": PROFILE}, key=key) != first


def test_an_import_and_its_rows_go_ninety_days_after_its_last_row(apps: Apps, settings: Settings) -> None:
    old, new, open_ = (uuid4() for _ in range(3))
    for which, finished in ((old, now() - timedelta(days=91)), (new, now() - timedelta(days=89)), (open_, None)):
        made = now() - timedelta(days=200)
        apps.rows(
            "referrals",
            "INSERT INTO imports (id, partner, client_id, dry_run, made, finished)"
            " VALUES (%s, 'cpas-hotton', 'c', false, %s, %s) RETURNING id",
            *(which, made, finished),
        )
        apps.rows(
            "referrals",
            "INSERT INTO import_rows (import_id, number, outcome) VALUES (%s, 2, 'done') RETURNING number",
            which,
        )
    purge(apps, "referrals", settings, now())
    left = {row[0] for row in apps.rows("referrals", "SELECT id FROM imports")}
    assert old not in left and {new, open_} <= left
    assert {row[0] for row in apps.rows("referrals", "SELECT import_id FROM import_rows")} >= {new, open_}
    for which in (new, open_):
        apps.rows("referrals", "DELETE FROM import_rows WHERE import_id = %s RETURNING number", which)
        apps.rows("referrals", "DELETE FROM imports WHERE id = %s RETURNING id", which)


DELIVERY = (
    "INSERT INTO deliveries (delivery_id, event_id, about_type, channel, recipient, trial, status, due_at, since, made,"
    " correlation) VALUES (%s, %s, 'x', 'email', 'le-trusquin', false, %s, %s, %s, %s, %s) RETURNING delivery_id"
)


def test_finished_messages_go_after_thirteen_months_with_their_attempts(apps: Apps, settings: Settings) -> None:
    made = now() - timedelta(days=400)
    sent, waiting, fresh = uuid4(), uuid4(), uuid4()
    for which, status, at in ((sent, "sent", made), (waiting, "waiting", made), (fresh, "sent", now())):
        apps.rows("notifications", DELIVERY, which, uuid4(), status, at, at, at, uuid4())
        apps.rows(
            "notifications",
            "INSERT INTO attempts (delivery_id, number, began) VALUES (%s, 1, %s) RETURNING number",
            *(which, at),
        )
    assert purge(apps, "notifications", settings, now()) == 1
    left = {row[0] for row in apps.rows("notifications", "SELECT delivery_id FROM attempts")}
    assert left & {sent, waiting, fresh} == {waiting, fresh}
    apps.rows("notifications", "DELETE FROM deliveries RETURNING delivery_id")


@pytest.mark.parametrize("service", ["referrals", "observation", "notifications"])
def test_resolved_dead_letters_go_after_ninety_days_and_open_ones_stay(
    apps: Apps, settings: Settings, service: str
) -> None:
    old = now() - timedelta(days=91)
    letters = {uuid4(): old, uuid4(): now(), uuid4(): None}
    for which, resolved in letters.items():
        apps.rows(
            service,
            "INSERT INTO dead_letters (id, kind, reason, at, resolved) VALUES (%s, 'set_aside', 'x', %s, %s)"
            " RETURNING id",
            *(which, old, resolved),
        )
    purge(apps, service, settings, now())
    left = {row[0] for row in apps.rows(service, "SELECT id FROM dead_letters")}
    assert left & letters.keys() == {which for which, resolved in letters.items() if resolved != old}
    apps.rows(service, "DELETE FROM dead_letters RETURNING id")


def line(apps: Apps, at: datetime) -> Any:
    return apps.rows(
        "referrals",
        "INSERT INTO audit (at, call, client, partner, noun, action, person)"
        " VALUES (%s, %s, 'c', 'p', 'n', 'read', '\\x00') RETURNING id",
        *(at, uuid4()),
    )[0][0]


def test_the_audit_lets_only_expired_lines_go_and_only_to_the_purge(apps: Apps, settings: Settings) -> None:
    expired, kept = line(apps, now() - timedelta(days=11 * 366)), line(apps, now() - timedelta(days=9 * 365))
    for before in (None, now() - timedelta(days=3660)):
        with pytest.raises(InsufficientPrivilege, match="append-only"), transaction(apps.engines["referrals"]) as conn:
            if before:
                permit_purge(conn, before)
            execute(conn, "DELETE FROM audit WHERE id = %s", (kept,))
    purge(apps, "referrals", settings, now())
    left = {row[0] for row in apps.rows("referrals", "SELECT id FROM audit")}
    assert kept in left and expired not in left
    longer = settings.model_copy(update={"keep_audit_years": 30})
    expired = line(apps, now() - timedelta(days=11 * 366))
    purge(apps, "referrals", longer, now())
    assert (expired,) in [tuple(row) for row in apps.rows("referrals", "SELECT id FROM audit")]


def test_rows_go_in_batches_until_none_is_due(apps: Apps, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jalons.process.purge.BATCH", 2)
    for _ in range(5):
        line(apps, now() - timedelta(days=11 * 366))
    assert purge(apps, "referrals", settings, now()) >= 5
