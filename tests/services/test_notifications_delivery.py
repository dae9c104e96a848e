"""From an event to a message that went: once, in spite of redelivery, crashes and servers that are away."""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import text

from services.notifications.deliveries import dispatch
from services.notifications.deliveries.outcome import Deferred, Delivered
from services.notifications.emails.mailer import MemoryMailer
from services.notifications.emails.smtp import SmtpMailer
from services.notifications.webhooks.client import MemoryWebhookClient
from services.notifications.webhooks.http_client import HttpWebhookClient
from tests.services.test_notifications_stage import REF, TELLING, Stage, event, eventually, everything, known
from tests.support.parts import at_work

pytest_plugins = ["tests.services.test_notifications_stage"]

NAMES = ("deliveries-watch", "email-", "webhook-")
"""Of the dispatcher's threads."""
UNSPEAKABLE = (REF, "sante", "create_activity", "required", "55+", "couple_children", "isolement", "83034", "0193")


def test_the_service_migrates_into_a_schema_of_its_own(stage: Stage):
    tables = {row.tablename for row in stage.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'notifications'")}
    assert {"events", "progress", "deliveries", "attempts", "subscriptions", "secrets", "partners", "queues"} <= tables


# Once


def test_an_event_makes_one_message_whatever_is_redelivered(stage: Stage, mail):
    stage.mailer = SmtpMailer(mail.url)
    stage.knows_everybody()
    sent = event("referral.sent")
    for _ in range(3):
        stage.hears(sent, sent)
        stage.sends()
    assert [message["To"] for message in mail.messages] == ["accueil@trusquin.example"]
    (delivery,) = stage.deliveries()
    assert (delivery.status, delivery.attempts) == ("sent", 1)
    assert [(row.type, row.subject, row.sequence) for row in stage.said()] == [
        ("jalons.notification.sent.v1", "le-trusquin", 1)
    ]


def test_a_start_that_a_training_answers_is_told_once(stage: Stage):
    """One call starts both; the training's mail says it."""
    stage.knows_everybody()
    stage.hears(
        event("training.started", partner="le-trusquin"),
        event("referral.started", partner="le-trusquin", answered_by="training"),
    )
    assert [delivery.about_type for delivery in stage.deliveries()] == ["jalons.training.started.v1"]


def test_who_acted_gets_no_mail_of_it(stage: Stage):
    stage.knows_everybody()
    stage.hears(event("referral.sent"), event("referral.accepted", partner="le-trusquin"), event("referral.received"))
    stage.sends()
    assert [(row.about_type, row.recipient) for row in stage.deliveries()] == [
        ("jalons.referral.accepted.v1", "cpas-hotton"),
        ("jalons.referral.sent.v1", "le-trusquin"),
    ]


def test_no_mail_holds_anything_about_the_person(stage: Stage, mail):
    stage.mailer = SmtpMailer(mail.url)
    stage.knows_everybody()
    profile = {"kind": "alphabetisation", "goal": "create_activity", "chosen_by": "required"}
    stage.hears(
        event("beneficiary.registered"),
        event("referral.sent", sealed=TELLING),
        event("referral.accepted", partner="le-trusquin", place="sante"),
        event("referral.declined", partner="le-trusquin", sealed={"reason": "childcare"}),
        event("referral.completed", partner="le-trusquin"),
        event("training.enrolled", sealed=profile),
        event("training.completed", partner="le-trusquin"),
        event("placement.proposed", sealed={"kind": "art60_7", "goal": "create_activity"}),
        event("placement.ended", partner="maison-de-repos-hotton"),
    )
    stage.sends()
    assert len(mail.messages) == 8
    for message in mail.messages:
        said = everything(message).lower()
        for word in (*UNSPEAKABLE, "alphabetisation", "childcare", "art60", "docteur", "formation", "j1501"):
            assert word not in said, (word, said)


def test_what_is_kept_of_a_message_holds_nothing_in_clear_about_the_person(stage: Stage):
    stage.knows_everybody()
    stage.subscribes("cpas-hotton", "https://partner.example/")
    stage.hears(event("referral.sent", sealed=TELLING))
    kept = str([*stage.deliveries(), *stage.deliveries("webhook")])
    for word in UNSPEAKABLE[:-1]:
        assert word not in kept
    stage.sends()
    assert [(row.status, row.body, row.person) for row in stage.deliveries("webhook")] == [("sent", None, None)]


# What is missing


def test_a_message_waits_for_the_partners_record_and_goes_when_it_comes(stage: Stage):
    stage.hears(event("referral.sent"))
    stage.sends()
    assert [(row.status, row.cause, row.attempts) for row in stage.deliveries()] == [("waiting", "partner_unknown", 0)]
    stage.hears(known("le-trusquin", mailbox=""))
    stage.sends()
    assert [row.cause for row in stage.deliveries()] == ["mailbox_missing"]
    stage.hears(known("le-trusquin"))
    stage.sends()
    assert [row.cause for row in stage.deliveries()] == ["contact_unknown"]
    stage.hears(known("cpas-hotton"))
    stage.sends()
    assert [(row.status, row.attempts) for row in stage.deliveries()] == [("sent", 1)]


def test_a_message_that_waited_days_still_has_three_days_of_attempts(stage: Stage):
    stage.hears(event("referral.sent"))
    stage.sends()
    stage.clock.pass_(days=10)
    stage.mailer = MemoryMailer(lambda _m: Deferred("mail_server_away"))
    stage.knows_everybody()
    stage.sends()
    assert [(row.status, row.attempts) for row in stage.deliveries()] == [("pending", 1)]


def test_what_waits_thirty_days_is_given_up_and_said(stage: Stage):
    stage.hears(event("referral.sent"))
    stage.sends()
    stage.clock.pass_(days=31)
    stage.sends()
    assert [(row.type, row.cause) for row in stage.said()] == [("jalons.notification.failed.v1", "waited_too_long")]


def test_trial_records_reach_trial_partners_only(stage: Stage, mail):
    stage.mailer = SmtpMailer(mail.url)
    stage.hears(known("cpas-hotton", trial=True), known("le-trusquin"))
    stage.hears(event("referral.sent", trial=True), event("referral.accepted", partner="le-trusquin", trial=True))
    stage.sends()
    assert [(row.recipient, row.status) for row in stage.deliveries()] == [
        ("cpas-hotton", "sent"),
        ("le-trusquin", "suppressed"),
    ]
    assert [message["Subject"][:8] for message in mail.messages] == ["[ESSAI] "]


def test_a_withdrawn_agreement_stops_what_is_pending_for_that_partner(stage: Stage):
    stage.hears(event("referral.sent"), event("referral.accepted", partner="le-trusquin"))
    stage.hears(event("consent.withdrawn"))
    stage.knows_everybody()
    stage.sends()
    assert [(row.recipient, row.status, row.cause) for row in stage.deliveries()] == [
        ("cpas-hotton", "sent", None),
        ("le-trusquin", "suppressed", "consent_withdrawn"),
        ("le-trusquin", "sent", None),
    ], "what was shared does not go any more; that the agreement is withdrawn does"


def test_what_is_shared_under_a_new_agreement_is_not_stopped_by_the_end_of_the_old(stage: Stage):
    stage.knows_everybody()
    stage.hears(event("referral.sent"), event("consent.withdrawn"), event("referral.sent", reference="R-9F4K-1TZ"))
    assert {(row.reference, row.status) for row in stage.deliveries()} == {
        ("R-7K4M-2QX", "suppressed"),
        ("R-7K4M-2QX, T-2B8N-5WC", "pending"),
        ("R-9F4K-1TZ", "pending"),
    }


def test_of_an_erased_person_nothing_is_kept_and_nothing_goes_but_that_they_are_erased(stage: Stage):
    stage.subscribes("cpas-hotton", "https://hotton.example/hook", "jalons.referral.*")
    stage.knows_everybody()
    stage.hears(event("referral.sent"))
    stage.sends()
    stage.hears(event("referral.declined", partner="le-trusquin"))
    stage.hears(event("beneficiary.erased"))
    with stage.engine.connect() as conn:
        kept = conn.execute(text("SELECT * FROM deliveries ORDER BY made, about_type, channel")).all()
    about = [row for row in kept if row.about_type != "jalons.beneficiary.erased.v1"]
    assert len(about) == 4
    assert all((row.body, row.person) == (None, None) for row in about)
    assert all(row.facts is None for row in about if row.status == "suppressed")
    assert {row.status for row in about} == {"sent", "suppressed"}
    [told] = [row for row in kept if row not in about]
    assert (told.recipient, told.status, told.person) == ("le-trusquin", "pending", None)
    assert stage.forgotten == [REF]
    with stage.engine.connect() as conn:
        assert conn.execute(text("SELECT count(*) FROM forgotten")).scalar() == 1


# Trouble with mail


def test_a_mail_server_that_was_down_gets_the_message_when_it_is_back(stage: Stage, mail):
    mail.stop()
    stage.mailer = SmtpMailer(mail.url)
    stage.knows_everybody()
    stage.hears(event("referral.sent"))
    stage.sends()
    assert [(row.status, row.cause) for row in stage.deliveries()] == [("pending", "mail_server_away")]
    mail.start()
    stage.sends()  # not due yet
    assert mail.messages == []
    stage.clock.pass_(seconds=40)
    stage.sends()
    assert len(mail.messages) == 1
    tried = stage.rows("SELECT number, outcome, cause, ended IS NOT NULL AS ended FROM attempts ORDER BY number")
    assert [tuple(row) for row in tried] == [
        (1, "deferred", "mail_server_away", True),
        (2, "delivered", None, True),
    ]
    assert [(row.type, row.attempts) for row in stage.said()] == [("jalons.notification.sent.v1", 2)]


def test_a_mailbox_that_is_refused_fails_at_once(stage: Stage, mail):
    mail.rejects["accueil@trusquin.example"] = "550 5.1.1 unknown"
    stage.mailer = SmtpMailer(mail.url)
    stage.knows_everybody()
    stage.hears(event("referral.sent"))
    stage.sends()
    assert [(row.status, row.cause, row.attempts) for row in stage.deliveries()] == [("failed", "mailbox_refused", 1)]
    assert [(row.type, row.cause) for row in stage.said()] == [("jalons.notification.failed.v1", "mailbox_refused")]


def test_a_mail_server_that_stays_away_is_given_up_after_three_days(stage: Stage):
    stage.mailer = MemoryMailer(lambda _m: Deferred("mail_server_away"))
    stage.knows_everybody()
    stage.hears(event("referral.sent"))
    for _ in range(40):
        stage.sends()
        stage.clock.pass_(hours=6)
    (delivery,) = stage.deliveries()
    assert (delivery.status, delivery.cause) == ("failed", "mail_server_away")
    assert len(stage.said()) == 1


def test_an_address_with_a_line_break_never_reaches_the_mail_server(stage: Stage, mail):
    stage.mailer = SmtpMailer(mail.url)
    stage.hears(known("cpas-hotton"), known("le-trusquin", mailbox="a@b.example\r\nRCPT TO:<spy@evil.example>"))
    stage.hears(event("referral.sent"))
    stage.sends()
    assert [(row.status, row.cause) for row in stage.deliveries()] == [("failed", "mailbox_invalid")]
    assert mail.raw == []


def test_an_attempt_that_a_crash_cut_short_is_seen_and_made_again(stage: Stage):
    class Killed(BaseException):
        """As a kill would: nothing is written afterwards."""

    def die(_message):
        raise Killed

    stage.mailer = MemoryMailer(die)
    stage.knows_everybody()
    stage.hears(event("referral.sent"))
    with pytest.raises(Killed):
        stage.sends()
    assert [tuple(row) for row in stage.rows("SELECT number, ended, outcome FROM attempts")] == [(1, None, None)]
    stage.mailer = survivor = MemoryMailer()
    stage.sends()
    assert survivor.taken == []  # its lease is not over
    stage.clock.pass_(seconds=121)
    stage.sends()
    assert len(survivor.taken) == 1
    tried = stage.rows("SELECT number, outcome, cause FROM attempts ORDER BY number")
    assert [tuple(row) for row in tried] == [(1, "interrupted", "process_ended"), (2, "delivered", None)]


def test_a_message_that_kills_the_process_each_time_is_tried_rarely_and_given_up(stage: Stage):
    class Killed(BaseException):
        """As a kill would."""

    killed = []

    def die(message):
        killed.append(message)
        raise Killed

    stage.mailer = MemoryMailer(die)
    stage.knows_everybody()
    stage.hears(event("referral.sent"))
    for _ in range(24 * 6):
        with contextlib.suppress(Killed):
            stage.sends()
        stage.clock.pass_(hours=1)
    assert 10 < len(killed) < 40
    assert [(row.status, row.cause) for row in stage.deliveries()] == [("failed", "process_ended")]


# One recipient and the others


def test_a_recipient_gets_one_message_at_a_time_and_a_slow_one_holds_nobody_back(stage: Stage):
    in_flight, answers = threading.Event(), threading.Event()

    def answer(_headers, _body):
        in_flight.set()
        assert answers.wait(10)
        return Delivered()

    stage.caller = MemoryWebhookClient(answer)
    stage.knows_everybody()
    stage.subscribes("le-trusquin", "https://slow.example/", "jalons.referral.*")
    stage.hears(*(event("referral.sent") for _ in range(8)))
    dispatcher = stage.dispatcher()
    webhooks = next(each for each in stage.channels() if each.name == "webhook")
    emails = next(each for each in stage.channels() if each.name == "email")

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(dispatcher.dispatch_one, webhooks)
        assert in_flight.wait(10)
        assert not any(dispatcher.dispatch_one(webhooks) for _ in range(3)), "one message at a time"
        assert dispatcher.dispatch_one(emails), "the other channel is not delayed"
        answers.set()
        assert slow.result()
    assert len(stage.caller.calls) == 1


def test_who_was_served_longest_ago_comes_first(stage: Stage):
    stage.mailer = mailer = MemoryMailer()
    stage.knows_everybody()
    stage.hears(*(event("referral.sent") for _ in range(3)), event("referral.accepted", partner="le-trusquin"))
    dispatcher = stage.dispatcher()
    emails = next(each for each in stage.channels() if each.name == "email")
    for _ in range(2):
        dispatcher.dispatch_one(emails)
        stage.clock.pass_(seconds=1)
    assert {message["To"] for message in mailer.taken} == {"accueil@trusquin.example", "insertion@cpas-hotton.example"}


# The threads


def test_the_running_part_is_woken_by_the_commit_and_stops(stage: Stage, mail, receives, monkeypatch):
    monkeypatch.setattr(dispatch, "POLL_SECONDS", 60.0)  # whatever is sent here was not found by the poll
    receiver = receives()
    stage.mailer, stage.caller = SmtpMailer(mail.url), HttpWebhookClient(loopback=True)
    stage.clock.at = stage.clock.at - timedelta(days=900)  # made long ago: due by the real clock
    stage.knows_everybody()
    stage.subscribes("le-trusquin", receiver.url)
    parts = at_work(*stage.dispatcher(threaded=True).parts)
    try:
        time.sleep(0.5)  # it listens, and has found nothing to do
        stage.hears(event("referral.sent"))
        eventually(lambda: mail.raw and receiver.calls)
        eventually(lambda: len(stage.said()) == 2)
    finally:
        parts.stop()
