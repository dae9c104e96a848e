"""A recipient's messages are sent in turn: each end is announced once, and one bad message blocks no other."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from services.notifications.deliveries.outcome import Delivered
from services.notifications.emails.mailer import MemoryMailer
from tests.services.test_notifications_stage import Stage, event, eventually, known
from tests.support.parts import at_work

pytest_plugins = ["tests.services.test_notifications_stage"]

SENT, SUPPRESSED = "jalons.notification.sent.v1", "jalons.notification.suppressed.v1"


@pytest.fixture
def mailer(stage: Stage) -> MemoryMailer:
    stage.mailer = MemoryMailer()
    return stage.mailer


def _set_facts(stage: Stage, which: UUID, facts: dict[str, Any]) -> None:
    """Change what a message is written from."""
    with stage.engine.begin() as conn:
        changed = text("UPDATE deliveries SET facts = :facts WHERE delivery_id = :which")
        conn.execute(changed, {"facts": json.dumps(facts), "which": which})


def test_one_that_cannot_be_made_holds_nobody_back_and_goes_once_it_can(stage: Stage, mailer: MemoryMailer):
    stage.knows_everybody()
    stage.hears(event("referral.accepted", partner="le-trusquin"), *(event("referral.sent") for _ in range(3)))
    which, facts = stage.rows(
        "SELECT delivery_id, facts FROM deliveries WHERE recipient = 'le-trusquin' ORDER BY due_at, event_id LIMIT 1"
    )[0]
    _set_facts(stage, which, {})  # no message can be written from it
    stage.sends()
    stage.clock.pass_(seconds=1)
    stage.sends()
    assert len(mailer.taken) == 3, "all others"
    shown = stage.rows("SELECT status, attempts, cause FROM deliveries WHERE delivery_id = :which", which=which)
    assert [tuple(row) for row in shown] == [("pending", 1, "unexpected")]

    _set_facts(stage, which, facts)
    stage.clock.pass_(minutes=1)
    stage.sends()
    assert len(mailer.taken) == 4
    assert [row.type for row in stage.said()] == [SENT] * 4


def test_one_that_can_never_be_made_is_given_up_and_said(stage: Stage, mailer: MemoryMailer):
    stage.knows_everybody()
    stage.hears(event("referral.sent"))
    with stage.engine.begin() as conn:
        conn.execute(text("UPDATE deliveries SET facts = '{}'"))
    for _ in range(20):
        stage.sends()
        stage.clock.pass_(hours=8)
    assert not mailer.taken
    assert [(row.status, row.cause) for row in stage.deliveries()] == [("failed", "unexpected")]
    assert [(row.type, row.cause) for row in stage.said()] == [("jalons.notification.failed.v1", "unexpected")]


def test_one_that_is_being_stopped_is_not_waited_for(stage: Stage, mailer: MemoryMailer):
    """A withdrawal may hold several deliveries of a person: waiting for one of them could deadlock."""
    stage.knows_everybody()
    stage.hears(event("referral.sent"))
    with stage.engine.begin() as other:
        other.execute(text("SELECT 1 FROM deliveries FOR UPDATE"))
        stage.sends()  # a lock that was waited for would raise after 5 s
        assert not mailer.taken
    stage.clock.pass_(seconds=1)
    stage.sends()
    assert len(mailer.taken) == 1


def test_ends_are_numbered_in_their_order(stage: Stage, mailer: MemoryMailer):
    stage.hears(known("cpas-hotton", trial=True), known("le-trusquin"))
    stage.hears(event("referral.sent"), event("referral.sent", trial=True), event("referral.sent"))
    stage.sends()
    assert len(mailer.taken) == 2
    assert [(row.type, row.sequence) for row in stage.said()] == [(SENT, 1), (SUPPRESSED, 2), (SENT, 3)]


def test_numbers_go_on_where_they_were_for_each_of_many_recipients(stage: Stage, mailer: MemoryMailer):
    """A withdrawal announces the ends of several recipients' messages at once."""
    stage.knows_everybody()
    for _ in range(2):
        stage.hears(event("referral.sent"), event("referral.accepted", partner="le-trusquin"))
        stage.sends()
    by_recipient: dict[str, list[int]] = {}
    for row in stage.said():
        by_recipient.setdefault(row.subject, []).append(row.sequence)
    assert by_recipient == {"le-trusquin": [1, 2], "cpas-hotton": [1, 2]}
    assert len(mailer.taken) == 4


def test_a_message_in_flight_at_the_stop_is_still_sent_and_no_other_begun(stage: Stage):
    in_flight, answers = threading.Event(), threading.Event()

    def slowly(_message: object) -> Delivered:
        in_flight.set()
        assert answers.wait(10)
        return Delivered()

    stage.mailer = mailer = MemoryMailer(slowly)
    stage.clock.at -= timedelta(days=900)  # made long ago: due by the real clock
    stage.knows_everybody()
    stage.hears(*(event("referral.sent") for _ in range(5)))
    parts = at_work(*stage.dispatcher(threaded=True).parts)
    assert in_flight.wait(10)
    parts.stop(0)
    answers.set()
    eventually(stage.said)
    assert len(mailer.taken) == 1
    assert [row.status for row in stage.deliveries()].count("sent") == 1
    assert stage.rows("SELECT count(*) AS open FROM attempts WHERE ended IS NULL")[0].open == 0
