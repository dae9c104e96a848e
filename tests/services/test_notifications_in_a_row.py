"""One message's end and the next one's beginning are one commit: nothing is lost or said twice where they meet."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from psycopg.errors import UniqueViolation
from sqlalchemy import text

from services.notifications.deliveries.channels import Channel
from services.notifications.deliveries.dispatch import Dispatcher, Taken
from services.notifications.deliveries.outcome import Delivered
from services.notifications.deliveries.ports import MemoryMailer
from tests.services.test_notifications_stage import Stage, event, known

pytest_plugins = ["tests.services.test_notifications_stage"]

SENT, SUPPRESSED = "jalons.notification.sent.v1", "jalons.notification.suppressed.v1"


class Sending:
    """A thread's work by e-mail, step by step."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.dispatcher: Dispatcher = stage.dispatcher()
        self.emails: Channel = next(each for each in stage.channels() if each.name == "email")
        self.taken: Taken | None = None

    def takes(self) -> None:
        self.taken = self.dispatcher.take(self.emails)

    def deals(self) -> None:
        assert self.taken
        self.taken = self.dispatcher.deal(self.emails, self.taken)

    def attempts(self) -> list[Any]:
        rows = self.stage.rows(
            "SELECT d.status, a.number, a.outcome, a.cause FROM attempts a JOIN deliveries d USING (delivery_id)"
            " ORDER BY d.event_id, a.number"
        )
        return [tuple(row) for row in rows]

    def gives(self, which: UUID, facts: dict[str, Any]) -> None:
        """Change what a message is made of."""
        with self.stage.engine.begin() as conn:
            changed = text("UPDATE deliveries SET facts = :facts WHERE delivery_id = :which")
            conn.execute(changed, {"facts": json.dumps(facts), "which": which})


@pytest.fixture
def mailer(stage: Stage) -> MemoryMailer:
    stage.mailer = MemoryMailer()
    return stage.mailer


@pytest.fixture
def two(stage: Stage, mailer: MemoryMailer) -> Sending:
    """Two messages to one partner, the first in hand."""
    stage.knows_everybody()
    stage.hears(event("referral.sent"), event("referral.sent"))
    sending = Sending(stage)
    sending.takes()
    return sending


def test_a_kill_before_the_next_goes_costs_it_its_lease_and_the_one_before_nothing(two: Sending, mailer: MemoryMailer):
    two.deals()
    assert two.taken, "the next is in hand"
    assert two.attempts() == [("sent", 1, "delivered", None), ("pending", 1, None, None)], "on record before it leaves"
    assert [row.type for row in two.stage.said()] == [SENT]

    survivor = Sending(two.stage)  # whoever comes after the kill
    survivor.takes()
    assert survivor.taken is None, "its lease is not over"
    two.stage.clock.pass_(seconds=121)
    two.stage.sends()
    assert len(mailer.taken) == 2
    assert two.attempts() == [
        ("sent", 1, "delivered", None),
        ("sent", 1, "interrupted", "process_ended"),
        ("sent", 2, "delivered", None),
    ]
    assert [(row.type, row.sequence, row.attempts) for row in two.stage.said()] == [(SENT, 1, 1), (SENT, 2, 2)]


def test_a_next_one_that_cannot_be_taken_leaves_what_went_written_down(two: Sending, mailer: MemoryMailer):
    with two.stage.engine.begin() as conn:  # somebody wrote its attempt down already: the database refuses it
        conn.execute(
            text(
                "INSERT INTO attempts (delivery_id, number, began) SELECT delivery_id, 1, now() FROM deliveries"
                " WHERE attempts = 0"
            )
        )
    with pytest.raises(UniqueViolation):
        two.deals()
    assert len(mailer.taken) == 1
    assert two.attempts() == [("sent", 1, "delivered", None), ("pending", 1, None, None)]
    assert [row.type for row in two.stage.said()] == [SENT]


def test_one_that_cannot_be_made_holds_nobody_back_and_goes_once_it_can(two: Sending, mailer: MemoryMailer):
    two.deals()
    two.stage.hears(event("referral.accepted", partner="le-trusquin"), event("referral.sent"))
    which, facts = two.stage.rows(
        "SELECT delivery_id, facts FROM deliveries WHERE attempts = 0 ORDER BY due_at, event_id LIMIT 1"
    )[0]
    two.gives(which, {})  # no letter can be made of it
    while two.taken:
        two.deals()
    assert len(mailer.taken) == 3, "all others"
    shown = two.stage.rows("SELECT status, attempts, cause FROM deliveries WHERE delivery_id = :which", which=which)
    assert [tuple(row) for row in shown] == [("pending", 1, "unexpected")]

    two.gives(which, facts)
    two.stage.clock.pass_(minutes=1)
    two.stage.sends()
    assert len(mailer.taken) == 4
    assert [row.type for row in two.stage.said()] == [SENT] * 4


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


def test_a_next_one_that_is_being_stopped_is_not_waited_for(two: Sending, mailer: MemoryMailer):
    """Who stops what is pending of a person may hold it, and wait for the one that went."""
    with two.stage.engine.begin() as other:
        other.execute(text("SELECT 1 FROM deliveries WHERE attempts = 0 FOR UPDATE"))
        began = time.monotonic()
        two.deals()
        assert time.monotonic() - began < 1, "sooner than a lock is given up, or a deadlock seen"
        assert two.attempts() == [("sent", 1, "delivered", None)]
    two.stage.sends()
    assert len(mailer.taken) == 2


def test_ends_of_one_commit_are_numbered_in_their_order(stage: Stage, mailer: MemoryMailer):
    stage.hears(known("cpas-hotton", trial=True), known("le-trusquin"))
    stage.hears(event("referral.sent"), event("referral.sent", trial=True), event("referral.sent"))
    stage.sends()
    assert len(mailer.taken) == 2
    assert [(row.type, row.sequence) for row in stage.said()] == [(SENT, 1), (SUPPRESSED, 2), (SENT, 3)]


def test_numbers_go_on_where_they_were_for_each_of_many_recipients(stage: Stage, mailer: MemoryMailer):
    """A withdrawal says the ends of several recipients' messages at once."""
    stage.knows_everybody()
    for _ in range(2):
        stage.hears(event("referral.sent"), event("referral.accepted", partner="le-trusquin"))
        stage.sends()
    by_recipient: dict[str, list[int]] = {}
    for row in stage.said():
        by_recipient.setdefault(row.subject, []).append(row.sequence)
    assert by_recipient == {"le-trusquin": [1, 2], "cpas-hotton": [1, 2]}
    assert len(mailer.taken) == 4


def test_what_is_in_hand_at_the_stop_still_goes_and_nothing_is_begun(stage: Stage):
    def slowly(_message: object) -> Delivered:
        time.sleep(0.2)
        return Delivered()

    stage.mailer = mailer = MemoryMailer(slowly)
    stage.clock.at -= timedelta(days=900)  # made long ago: due by the real clock
    stage.knows_everybody()
    stage.hears(*(event("referral.sent") for _ in range(5)))
    part = stage.dispatcher(threaded=True)
    part.start()
    deadline = time.monotonic() + 10
    while not stage.said():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    part.stop()  # in the rest after the first: the second is in hand
    assert len(mailer.taken) == 2
    assert [row.status for row in stage.deliveries()].count("sent") == 2
    assert stage.rows("SELECT count(*) AS open FROM attempts WHERE ended IS NULL")[0].open == 0
