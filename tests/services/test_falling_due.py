"""The hub does by itself what falls due: each once, however many look, wherever one is killed, however late."""

from __future__ import annotations

import signal
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy import create_engine

from jalons.database import engine, transaction
from jalons.embedded.stack import Servers
from jalons.process import metrics
from jalons.process.migrate import upgrade
from services.referrals.acts import sending
from services.referrals.acts.lifecycle import NotAllowed
from services.referrals.acts.rows import PLACEMENTS, REFERRALS, TRAININGS
from services.referrals.agreements import commands as agreements
from services.referrals.deadlines import commands as deadline_commands
from services.referrals.deadlines import rows as store
from services.referrals.deadlines.loop import LOOK_SECONDS
from services.referrals.directory import commands as directory_commands
from services.referrals.work import Work
from tests.support.falling_due import Desk, brussels, work_off
from tests.support.network import eventually
from tests.support.sql import execute

MONDAY = "2026-11-23 10:00"


@pytest.fixture
def desk(servers: Servers) -> Iterator[Desk]:
    """Referrals' own schema, empty but for the network; it is a Monday morning."""
    schema = f"d_{uuid.uuid4().hex[:12]}"
    making = create_engine(servers.database_url)
    with making.connect() as conn:
        upgrade(conn, "referrals", schema)
    making.dispose()
    pool = engine(servers.database_url, schema, pool=8)
    yield Desk(pool, brussels(MONDAY)).load()
    pool.dispose()


def test_nobody_answers(desk: Desk) -> None:
    referral = desk.refer()
    assert desk.passes("2026-11-26 07:59") == []
    assert desk.passes("2026-11-26 08:00") == ["referral.reminder_due"]
    desk.step(REFERRALS, referral, "receive")
    assert desk.passes("2026-11-29 12:00") == []
    assert desk.passes("2026-11-30 08:00") == ["referral.reminder_due"]
    assert desk.passes("2026-12-02 09:00") == ["referral.escalated"]
    assert desk.passes("2026-12-23 08:01") == ["referral.expired"]
    said = desk.said()
    assert [event.data.model_dump().get("number") for event in said] == [1, 2, None, None]
    assert [event.time for event in said] == [event.recorded for event in said]
    sent = next(event for event in desk.log() if event.type == "jalons.referral.sent.v1")
    assert {event.causation for event in said} == {sent.causation}, "they follow from the call that sent it"
    with pytest.raises(NotAllowed) as late:
        desk.step(REFERRALS, referral, "accept")
    assert (late.value.status, late.value.open) == ("expired", [])
    assert desk.open_rows() == 0


def test_an_answer_ends_what_was_due(desk: Desk) -> None:
    accepted, declined = desk.refer(), desk.refer()
    desk.step(REFERRALS, accepted, "accept", first_contact_on=date(2026, 12, 1))
    desk.step(REFERRALS, declined, "decline", reason="no_place", declined_by="provider")
    assert desk.passes("2026-12-07 12:00") == []
    assert desk.passes("2026-12-08 08:00") == ["referral.news_due"]
    assert desk.said()[-1].data.model_dump()["about"] == "first_contact"
    desk.step(REFERRALS, accepted, "start", started_on=date(2026, 12, 8))
    assert desk.open_rows() == 0


def test_who_waits_for_a_place_is_asked_about_and_then_expires(desk: Desk) -> None:
    referral = desk.refer()
    waitlisted(desk, referral, expected_on="2026-12-15")
    assert desk.passes("2026-12-14 23:00") == []
    assert desk.passes("2026-12-15 08:00") == ["referral.news_due"]
    assert desk.passes("2027-02-13 08:00") == ["referral.news_due"]
    assert desk.passes("2027-04-14 08:00") == ["referral.expired"]


def waitlisted(desk: Desk, referral: Any, **facts: str) -> None:
    """As whatever command puts it on a waiting list leaves it."""

    def put(work: Work) -> None:
        state = REFERRALS.find(work.conn, referral.id, lock=True)
        assert state is not None
        moved = replace(state, status="waitlisted", version=state.version + 1, facts={**state.facts, **facts})
        REFERRALS.save(work.conn, moved, work.call.now)
        deadline_commands.follow(work, moved)

    desk.do("le-trusquin", put)


def test_a_training_and_a_placement_are_followed(desk: Desk) -> None:
    referral = desk.step(REFERRALS, desk.refer(), "accept")
    planned = {"planned_start": date(2026, 11, 24), "planned_end": date(2027, 1, 29), "chosen_by": "person"}
    known = desk.ground.alias(str(referral.ref), "le-trusquin")
    given = {"beneficiary": known, "kind": "formation", "goal": "qualify", "offer": None, **planned}
    training = desk.do("le-trusquin", lambda work: sending.enrol(work, given | {"referral_id": None}))
    assert desk.passes("2026-12-01 08:00") == ["training.news_due"]
    desk.step(TRAININGS, training, "start", started_on=date(2026, 12, 1))
    assert desk.passes("2027-02-05 08:00") == ["training.news_due"]
    work = {"beneficiary": referral.ref, "employer": "cpas-hotton", "kind": "art60_7", "goal": "gain_experience"}
    planned |= {"planned_start": date(2027, 2, 8), "planned_end": date(2027, 8, 31)}
    placement = desk.do("cpas-hotton", lambda w: sending.propose(w, work | planned))
    desk.step(PLACEMENTS, placement, "confirm", by="cpas-hotton")
    assert desk.passes("2027-02-15 08:00") == ["placement.news_due"]
    desk.step(PLACEMENTS, placement, "start", by="cpas-hotton", started_on=date(2027, 2, 15))
    assert desk.passes("2027-07-02 08:00") == ["placement.end_near"]
    assert desk.passes("2027-09-07 08:00") == ["placement.news_due"]
    ended = {"ended_on": date(2027, 8, 31), "reason": "end_of_contract"}
    desk.step(PLACEMENTS, placement, "end", by="cpas-hotton", **ended)
    assert desk.passes("2027-11-30 08:00") == ["placement.follow_up_due"]
    assert desk.passes("2028-02-29 08:00") == ["placement.follow_up_due"]
    assert desk.passes("2028-08-31 08:00") == ["placement.follow_up_due"]
    months = [event.data.model_dump().get("months") for event in desk.said() if "follow_up" in event.type]
    assert months == [3, 6, 12]
    assert desk.open_rows() == 0


def test_conventions_and_agreements_come_to_their_end(desk: Desk) -> None:
    last = date(2026, 12, 31)
    record = {
        "parties": ["cpas-hotton", "forem-marche"],
        "valid_from": date(2026, 11, 1),
        "valid_to": last,
        "scope": [],
        "shared_attributes": [],
        "legal_basis": "6.1.e",
        "reply_within_working_days": 5,
        "remind_on_working_days": [3],
        "expire_after_days": 30,
    }
    _, ended = (desk.do(None, lambda w: directory_commands.sign_convention(w, record)) for _ in range(2))
    desk.do(None, lambda w: directory_commands.step_convention(w, ended["convention_id"], "terminate"))
    agreement = {"channel": "paper", "expires_on": last}
    kept, withdrawn = desk.refer(agreement=agreement), desk.refer(agreement=agreement)
    desk.step(REFERRALS, kept, "decline", reason="no_place", declined_by="provider")
    desk.step(REFERRALS, withdrawn, "decline", reason="no_place", declined_by="provider")
    with transaction(desk.engine) as conn:
        consent_id = execute(conn, "SELECT consent_id FROM consents WHERE ref = %s", (withdrawn.ref,)).fetchone()[0]
    desk.do("cpas-hotton", lambda w: agreements.withdraw(w, withdrawn.ref, consent_id))
    assert desk.passes("2026-12-31 23:59") == ["convention.renewal_due"], "nothing open depends on the agreement"
    assert sorted(desk.passes("2027-01-01 00:00")) == ["consent.expired", "convention.expired"]
    said = {event.type: event for event in desk.said()}
    assert said["jalons.consent.expired.v1"].subject == str(kept.ref)
    assert said["jalons.convention.expired.v1"].data.model_dump()["status"] == "expired"
    assert desk.open_rows() == 0


def test_a_hub_that_was_off_says_the_newest_only_and_in_order(desk: Desk) -> None:
    early = desk.refer()
    desk.at = brussels("2026-11-25 10:00")
    later = desk.refer()
    assert desk.passes("2026-12-02 12:00") == ["referral.escalated", "referral.reminder_due"]
    assert [event.subject for event in desk.said()] == [str(early.ref), str(later.ref)]
    assert desk.said()[1].data.model_dump()["number"] == 2
    assert desk.passes("2027-06-01 12:00") == ["referral.expired"] * 2
    assert desk.doubled() == []
    assert desk.open_rows() == 0


def test_loops_side_by_side_do_each_once(desk: Desk) -> None:
    for _ in range(40):
        desk.refer()
    desk.at = brussels("2026-11-26 08:00")
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work_off, desk.loop()) for _ in range(4)]:
            done.result()
    work_off(desk.loop())
    assert Counter(event.type for event in desk.said()) == {"jalons.referral.reminder_due.v1": 40}
    assert desk.doubled() == []


def test_killed_between_two_of_them_each_is_done_once(desk: Desk) -> None:
    referrals = 200
    for _ in range(referrals):
        desk.refer()
    desk.at = brussels("2026-12-02 08:00")
    url, schema = desk.engine.url.render_as_string(hide_password=False), schema_of(desk)
    before = desk.length()
    for killed_after in (20, 60, 100):
        child = subprocess.Popen([sys.executable, "-m", "tests.support.falling_due", url, schema, desk.at.isoformat()])
        try:
            eventually(lambda n=before + killed_after: desk.length() >= n, 60)
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait()
        assert len(desk.said()) < referrals, "it was killed in the midst of them"
    eventually(lambda: not (desk.loop().step()), 60)
    work_off(desk.loop())
    assert Counter(event.type for event in desk.said()) == {"jalons.referral.escalated.v1": referrals}
    assert desk.doubled() == []


def test_a_person_whom_a_call_is_about_is_passed_over_and_comes_next(desk: Desk) -> None:
    held, free = desk.refer(), desk.refer()
    desk.at = brussels("2026-11-26 08:00")
    with transaction(desk.engine) as conn:
        execute(conn, "SELECT 1 FROM beneficiaries WHERE ref = %s FOR UPDATE", (held.ref,))
        work_off(desk.loop())
        assert [event.subject for event in desk.said()] == [str(free.ref)]
    work_off(desk.loop())
    assert [event.subject for event in desk.said()] == [str(free.ref), str(held.ref)]


def test_one_that_cannot_be_done_holds_up_nobody_and_is_measured(desk: Desk) -> None:
    broken, sound = desk.refer(), desk.refer()
    with transaction(desk.engine) as conn:
        execute(conn, "UPDATE referrals SET facts = facts - 'reply_by' WHERE id = %s", (broken.id,))
    desk.at = brussels("2026-11-26 08:10")
    loop = desk.loop()
    work_off(loop)
    assert [event.subject for event in desk.said()] == [str(sound.ref)]
    loop.rest()
    assert metrics.DEADLINES_OLDEST.labels("referrals")._value.get() == 600
    with transaction(desk.engine) as conn:
        execute(
            conn,
            'UPDATE referrals SET facts = facts || \'{"reply_by": "2026-11-30"}\' WHERE id = %s',
            (broken.id,),
        )
    work_off(desk.loop())
    assert [event.subject for event in desk.said()] == [str(sound.ref), str(broken.ref)]


def test_what_lapses_waits_and_is_cancelled_after_twenty_working_days(desk: Desk) -> None:
    waiting = desk.refer(agreement={"channel": "paper", "expires_on": date(2027, 1, 15)})
    desk.step(REFERRALS, waiting, "waitlist", expected_on=date(2027, 1, 20))
    assert desk.passes("2026-12-16 08:00") == ["consent.renewal_due"]
    assert desk.passes("2027-01-15 08:00") == ["consent.renewal_due"]
    assert desk.passes("2027-01-16 00:00") == ["consent.expired"]
    assert desk.passes("2027-02-12 07:59") == [], "nobody is asked about what nothing covers"
    assert desk.passes("2027-02-12 08:00") == ["referral.cancelled"]
    ended = desk.said()[-1].data.model_dump()
    assert (ended["agreement_ended"], ended["uncovered"]) == ("lapsed", ("le-trusquin",))


def test_a_convention_that_is_suspended_hides_the_ways_it_carried_until_it_is_resumed(desk: Desk) -> None:
    desk.step(REFERRALS, desk.refer(), "waitlist", expected_on=date(2027, 1, 20))
    with transaction(desk.engine) as conn:
        [convention] = execute(conn, "SELECT convention_id FROM conventions").fetchone()
    desk.do(None, lambda w: directory_commands.step_convention(w, convention, "suspend"))
    assert desk.passes("2026-11-23 10:01") == ["consent.lapsed"]
    assert desk.said()[-1].data.model_dump()["partners"] == ("le-trusquin",)
    desk.do(None, lambda w: directory_commands.step_convention(w, convention, "resume"))
    assert desk.passes("2026-11-23 10:02") == ["consent.restored"]
    assert desk.passes("2027-01-20 08:00") == ["referral.news_due"]


def test_it_rests_until_the_next_is_due_but_never_long(desk: Desk) -> None:
    assert desk.loop().rest() == LOOK_SECONDS
    desk.refer()
    assert desk.loop().rest() == LOOK_SECONDS
    desk.at = brussels("2026-11-26 07:59:59")
    assert desk.loop().rest() == pytest.approx(1)
    assert metrics.DEADLINES_OLDEST.labels("referrals")._value.get() == 0


def test_the_coordinator_sees_who_was_not_answered_until_it_is(desk: Desk) -> None:
    late, soon = desk.refer(), desk.refer()
    desk.step(REFERRALS, soon, "accept")
    assert desk.passes("2026-12-02 07:00") == ["referral.reminder_due"]
    assert listed(desk) == []
    assert desk.passes("2026-12-02 08:00") == ["referral.escalated"]
    assert listed(desk) == [late.reference]
    desk.step(REFERRALS, late, "accept")
    assert listed(desk) == []


def listed(desk: Desk) -> list[str]:
    with transaction(desk.engine) as conn:
        return [row.reference for row in store.late(conn, None, 50)]


def schema_of(desk: Desk) -> str:
    with transaction(desk.engine) as conn:
        return str(execute(conn, "SELECT current_schema()").fetchone()[0])


def test_what_changes_no_wait_begins_none_anew(desk: Desk) -> None:
    """As an act that leaves the status, or is said to be received, weeks after the reminders."""
    referral = desk.refer()
    assert desk.passes("2026-11-30 08:00") == ["referral.reminder_due"], "the second; the first was superseded"
    desk.step(REFERRALS, referral, "receive")
    assert desk.open_rows() == 2
    assert desk.passes("2026-12-01 20:00") == []
    assert desk.passes("2026-12-02 08:00") == ["referral.escalated"]
