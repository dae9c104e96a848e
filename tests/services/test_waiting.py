"""Asking for all that waits: what is wrong is said, who asks too often waits, and a silent peer is no silent loss."""

from __future__ import annotations

import uuid

from services.referrals.answering import rows as waiting
from tests.support.apps import Apps
from tests.support.pages import well_made

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
        form = {"mailbox": f"{uuid.uuid4().hex}@nowhere.example"}
        answer = apps.network.http.request("POST", ADDRESS, data=form, headers={"X-Forwarded-For": whose})
        well_made(answer)
        return answer.status_code

    assert [ask("2001:db8::1") for _ in range(11)] == [200] * 10 + [429]
    assert ask("2001:db8::2") == 200


def test_what_waits_is_what_a_role_has_to_answer() -> None:
    found = {(noun, role): statuses for noun, role, statuses in waiting.ROLES}
    assert found["referral", "recipient"] == ["accepted", "received", "sent", "started", "waitlisted"]
    assert found["training", "operator"] == ["enrolled", "started", "suspended"]
    assert found["placement", "employer"] == ["confirmed", "proposed", "started"]
    assert found["placement", "proposer"] == ["confirmed", "started"]
