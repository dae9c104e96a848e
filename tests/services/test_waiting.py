"""Asking for all that waits: what is wrong is said, who asks too often waits, and a silent peer is no silent loss."""

from __future__ import annotations

import uuid
from datetime import timedelta

from fastapi.testclient import TestClient

from jalons.clock import now
from services.referrals.answering import rows as waiting
from services.referrals.pages.rate_limit import RateLimit
from tests.support.apps import Apps
from tests.support.pages import well_made
from tests.support.sql import execute

ADDRESS = "http://referrals/answer"


def test_what_is_no_mailbox_is_said(apps: Apps) -> None:
    for typed in ({}, {"mailbox": ""}, {"mailbox": "accueil"}):
        answer = apps.network.http.post(ADDRESS, data=typed)
        assert answer.status_code == 422
        assert "adresse de messagerie" in well_made(answer).text


def test_where_the_mail_cannot_be_asked_for_it_is_said(apps: Apps) -> None:
    """No notifications service answers here."""
    mailbox = apps.rows("referrals", "SELECT mailbox FROM partners WHERE slug = 'le-trusquin'")[0].mailbox
    answer = apps.network.http.post(ADDRESS, data={"mailbox": mailbox})
    assert answer.status_code == 503
    assert "dans une minute" in well_made(answer).text


def test_who_asks_too_often_waits_and_nobody_else_does(apps: Apps) -> None:
    def ask(whose: str) -> int:
        caller = TestClient(apps.services["referrals"].app, client=(whose, 1))
        named = {"X-Forwarded-For": uuid.uuid4().hex}  # by nobody whom the hub trusts
        answer = caller.post("/answer", data={"mailbox": f"{uuid.uuid4().hex}@nowhere.example"}, headers=named)
        well_made(answer)  # type: ignore[arg-type]
        return answer.status_code

    assert [ask("2001:db8::1") for _ in range(11)] == [200] * 10 + [429]
    assert ask("2001:db8::2") == 200


def test_two_processes_have_one_limit_and_it_ends(apps: Apps) -> None:
    whose, at, engine = uuid.uuid4().hex, now(), apps.engines["referrals"]
    first, second = (RateLimit("a test", 3, 60) for _ in range(2))
    other = RateLimit("another", 3, 60)
    with engine.connect() as conn:
        for limit in (first, second, first):
            assert not limit.spent(conn, whose, at)
            limit.count(conn, whose, at)
        assert second.spent(conn, whose, at) and not other.spent(conn, whose, at)
        assert not second.spent(conn, "another caller", at)
        later = at + timedelta(seconds=60)
        assert not first.spent(conn, whose, later)
        first.count(conn, whose, later)
        assert not first.spent(conn, whose, later)
        kept = execute(conn, "SELECT caller FROM referrals.attempts").fetchall()
        assert kept
        assert whose.encode() not in b"".join(bytes(row[0]) for row in kept)


def test_what_waits_is_what_a_role_has_to_answer() -> None:
    found = {(noun, role): statuses for noun, role, statuses in waiting.ROLES}
    assert found["referral", "recipient"] == ["accepted", "received", "sent", "started", "waitlisted"]
    assert found["training", "operator"] == ["enrolled", "started", "suspended"]
    assert found["placement", "employer"] == ["confirmed", "proposed", "started"]
    assert found["placement", "proposer"] == ["confirmed", "started"]
