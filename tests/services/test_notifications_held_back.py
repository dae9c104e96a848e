"""What is rightly held back: kept, said once with its cause, and never sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from schemas.envelope import Event
from services.notifications.emails.mailer import MemoryMailer
from services.notifications.webhooks.client import MemoryWebhookClient
from tests.services.test_notifications_stage import NOW, Stage, event, known

pytest_plugins = ["tests.services.test_notifications_stage"]

SUPPRESSED = "jalons.notification.suppressed.v1"


def old(happened: Event, days: float) -> Event:
    """The same, recorded so many days before now."""
    then = NOW - timedelta(days=days)
    return replace(happened, time=then, recorded=then)


@pytest.fixture
def written_to(stage: Stage) -> Iterator[MemoryMailer]:
    """Everybody is known, and what would be sent is kept."""
    stage.mailer = mailer = MemoryMailer()
    stage.knows_everybody()
    yield mailer
    stage.sends()


def test_an_old_log_that_is_read_anew_writes_to_nobody(stage: Stage, written_to: MemoryMailer):
    log = [
        old(event("referral.sent"), 400),
        old(event("referral.accepted", partner="le-trusquin"), 399),
        old(event("training.completed", partner="le-trusquin"), 7.5),
    ]
    for _ in range(2):
        stage.hears(*log)
        stage.sends()
    assert written_to.taken == []
    kept = stage.deliveries()
    assert {(row.status, row.cause, row.facts, row.person, row.attempts) for row in kept} == {
        ("suppressed", "too_old", None, None, 0)
    }
    said = stage.said()
    assert [(row.type, row.cause, row.attempts) for row in said] == [(SUPPRESSED, "too_old", 0)] * 3
    assert sorted((row.subject, row.sequence) for row in said) == [
        ("cpas-hotton", 1),
        ("cpas-hotton", 2),
        ("le-trusquin", 1),
    ]


def test_what_happened_long_ago_but_was_recorded_today_is_mailed(stage: Stage, written_to: MemoryMailer):
    stage.hears(replace(event("referral.sent"), time=NOW - timedelta(days=60)))
    stage.sends()
    assert len(written_to.taken) == 1


def test_a_webhook_goes_however_old_its_event_is(stage: Stage, written_to: MemoryMailer):
    stage.caller = caller = MemoryWebhookClient()
    stage.subscribes("le-trusquin", "https://partner.example/")
    sent = old(event("referral.sent"), 30)
    stage.hears(sent)
    stage.sends()
    assert [json.loads(body)["data"]["reference"] for _, body in caller.calls] == [sent.data.reference]
    assert written_to.taken == []


def test_a_mail_that_waited_a_week_for_the_partner_s_record_still_goes(stage: Stage):
    stage.mailer = mailer = MemoryMailer()
    stage.hears(event("referral.sent"))
    stage.sends()
    stage.clock.pass_(days=8)
    stage.knows_everybody()
    stage.sends()
    assert len(mailer.taken) == 1


def test_a_trial_that_is_held_back_is_said(stage: Stage):
    stage.hears(known("cpas-hotton", trial=True), known("le-trusquin"), event("referral.sent", trial=True))
    stage.sends()
    assert [(row.type, row.subject, row.cause) for row in stage.said()] == [(SUPPRESSED, "le-trusquin", "trial_only")]


def test_a_withdrawn_agreement_says_each_message_that_it_stopped(stage: Stage, written_to: MemoryMailer):
    stage.subscribes("le-trusquin", "https://partner.example/", "jalons.referral.*")
    stage.hears(event("referral.sent"), event("referral.sent"))
    stage.hears(event("consent.withdrawn"))
    stage.sends()
    assert [(row.type, row.subject, row.sequence, row.cause) for row in stage.said()][:4] == [
        (SUPPRESSED, "le-trusquin", number, "consent_withdrawn") for number in (1, 2, 3, 4)
    ]
    assert len(written_to.taken) == 1, "who held something is told that the agreement ended, and nothing else"


# The coordinator


@pytest.fixture
def coordinated(stage: Stage) -> Stage:
    """The same stage where the coordinator has a mailbox."""
    told = Stage(stage.url, stage.engine, coordinator="coordination@integra.example")
    told.mailer = MemoryMailer()
    told.knows_everybody()
    return told


def test_the_coordinator_is_mailed_of_what_nobody_answered(coordinated: Stage):
    coordinated.hears(event("referral.escalated", partner="hub"), event("referral.expired", partner="hub"))
    coordinated.sends()
    assert sorted((str(message["To"]), str(message["Reply-To"])) for message in coordinated.mailer.taken) == [
        ("accueil@trusquin.example", "CPAS de Hotton <insertion@cpas-hotton.example>"),
        ("coordination@integra.example", "CPAS de Hotton <insertion@cpas-hotton.example>"),
        ("coordination@integra.example", "CPAS de Hotton <insertion@cpas-hotton.example>"),
        ("insertion@cpas-hotton.example", "EFT Le Trusquin <accueil@trusquin.example>"),
    ]
    assert {row.subject for row in coordinated.said()} == {"cpas-hotton", "coordinator", "le-trusquin"}


def test_without_a_mailbox_for_her_nobody_is_mailed_in_her_place(stage: Stage, written_to: MemoryMailer):
    stage.hears(event("referral.escalated", partner="hub"))
    stage.sends()
    assert (written_to.taken, stage.deliveries()) == ([], [])


def test_a_mailbox_that_is_taken_away_makes_her_mail_wait_and_not_fail(coordinated: Stage):
    coordinated.hears(event("referral.escalated", partner="hub"))
    coordinated.coordinator = None
    coordinated.sends()
    assert [(row.status, row.cause) for row in coordinated.deliveries()] == [("waiting", "partner_unknown")]
