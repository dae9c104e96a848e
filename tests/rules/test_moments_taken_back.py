"""Ends, pauses and what is taken back: the way is then as if it had never been told otherwise."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from services.observation.counts.rules import MEASURES, Cell, delta, net
from services.observation.pathways.rules import PROMPTS, Effect
from tests.rules.test_moments import MORNING, Way, event

MARCH = ("2026-03", "cpas-hotton", "le-trusquin", "formation")


def begun(referred, *, until: str = "referral.started") -> Way:
    """A person registered and referred, and what followed on the fourth day."""
    way = Way()
    way.then(
        event("beneficiary.registered"),
        event("referral.sent", 1, referral_id=referred, goal="discover", chosen_by="person"),
        event("referral.accepted", 2, referral_id=referred),
    )
    if until == "referral.started":
        way.then(event("referral.started", 4, referral_id=referred, answered_by=None))
    return way


@pytest.mark.parametrize("end", ["declined", "redirected", "cancelled", "expired", "interrupted", "voided"])
def test_what_was_only_announced_does_not_come_and_is_not_told(end: str) -> None:
    referred = uuid4()
    way = begun(referred, until="referral.accepted")
    way.then(event(f"referral.{end}", 5, referral_id=referred))
    assert way.told == ["entered accueil"]
    assert [s.moment for s in way.open] == ["accueil"]


@pytest.mark.parametrize("end", ["completed", "interrupted", "voided"])
def test_a_referral_s_own_step_is_left_at_its_end(end: str) -> None:
    referred = uuid4()
    way = begun(referred)
    (left,) = way.then(event(f"referral.{end}", 9, referral_id=referred)).left
    assert (left.moment, left.left_at) == ("formation", MORNING + timedelta(days=9))


@pytest.mark.parametrize("end", ["completed", "interrupted", "cancelled"])
def test_a_training_s_end_closes_its_step_however_it_ends(end: str) -> None:
    way, course = Way(), uuid4()
    way.then(event("training.started", training_id=course), event(f"training.{end}", 3, training_id=course))
    assert way.told == ["entered formation", "left formation"]


@pytest.mark.parametrize("end", ["refused", "cancelled"])
def test_a_placement_that_will_not_begin_ends_its_preparation(end: str) -> None:
    way, job = Way(), uuid4()
    way.then(event("placement.confirmed", placement_id=job, planned_start="2026-04-01"))
    way.then(event(f"placement.{end}", 3, placement_id=job))
    assert way.told == ["entered preparation_emploi", "left preparation_emploi"]


def test_a_step_that_rests_is_open_and_rests_until_it_goes_on() -> None:
    way, course = Way(), uuid4()
    way.then(event("training.started", training_id=course), event("training.suspended", 3, training_id=course))
    (step,) = way.open
    assert (step.open, step.suspended) == (True, True)
    way.then(event("training.attendance_falling", 4, training_id=course))
    assert way.open[0].suspended, "only its resumption ends the rest"
    way.then(event("training.resumed", 80, training_id=course))
    (step,) = way.open
    assert (step.suspended, step.last_at) == (False, MORNING + timedelta(days=80))
    assert way.told == ["entered formation"]


@pytest.mark.parametrize("kind", sorted(p.TYPE.removeprefix("jalons.").removesuffix(".v1") for p in PROMPTS))
def test_that_the_hub_asks_for_news_is_no_news(kind: str) -> None:
    ids = {"referral_id": uuid4(), "training_id": uuid4(), "placement_id": uuid4()}
    begins = {"training": "training.started", "placement": "placement.started", "referral": "referral.started"}
    way = Way()
    way.then(event(begins[kind.split(".", maxsplit=1)[0]], **ids | {"answered_by": None}))
    assert way.then(event(kind, 40, **ids)) == Effect()


@pytest.mark.parametrize("kind", ["referral.waitlisted", "training.attendance_falling", "placement.evaluated"])
def test_an_act_of_a_party_is_news(kind: str) -> None:
    ids = {"referral_id": uuid4(), "training_id": uuid4(), "placement_id": uuid4()}
    begins = {"training": "training.started", "placement": "placement.started", "referral": "referral.started"}
    way = Way()
    way.then(event(begins[kind.split(".", maxsplit=1)[0]], **ids | {"answered_by": None}))
    (touched,) = way.then(event(kind, 40, **ids)).updated
    assert touched.last_at == MORNING + timedelta(days=40)


# Reopened


@pytest.mark.parametrize("end", ["completed", "interrupted"])
def test_a_reopened_step_is_one_step_from_its_first_day_and_told_as_entered_anew(end: str) -> None:
    referred = uuid4()
    way = begun(referred)
    ended = event(f"referral.{end}", 9, referral_id=referred)
    reopened = event("referral.reopened", 10, referral_id=referred, status="started")
    done = way.then(ended, reopened)
    _, before = [s for s in way.all.values() if s.step == referred], way.steps()
    accueil, step = before
    assert (accueil.moment, accueil.open) == ("accueil", False)
    assert (step.open, step.entered_at, step.goal) == (True, MORNING + timedelta(days=4), "discover")
    assert [s.entered_recorded for s in done.entered] == [reopened.recorded]
    assert step.last_event == reopened.id, "its silence is counted from here"
    assert way.told[-2:] == ["left formation", "entered formation"]
    way.then(event("referral.completed", 20, referral_id=referred))
    assert [(s.moment, s.left_at) for s in way.steps()][1:] == [("formation", MORNING + timedelta(days=20))]


def test_a_step_reopened_twice_is_still_one_step() -> None:
    referred = uuid4()
    way = begun(referred)
    for day in (9, 20):
        way.then(event("referral.completed", day, referral_id=referred))
        way.then(event("referral.reopened", day + 1, referral_id=referred))
    assert [s.moment for s in way.steps()] == ["accueil", "formation"]


def test_a_declined_referral_that_is_reopened_has_its_sense_again_when_it_starts() -> None:
    referred = uuid4()
    way = begun(referred, until="referral.accepted")
    way.then(event("referral.declined", 3, referral_id=referred), event("referral.reopened", 4, referral_id=referred))
    assert way.told == ["entered accueil"]
    (step,) = way.then(event("referral.started", 5, referral_id=referred, answered_by=None)).entered
    assert (step.goal, step.chosen_by) == ("discover", "person")


def test_reopening_a_referral_leaves_the_training_that_answered_it_alone() -> None:
    way, referred, course = Way(), uuid4(), uuid4()
    way.then(
        event("referral.sent", referral_id=referred),
        event("training.started", 1, training_id=course, referral_id=referred),
        event("training.completed", 5, training_id=course, referral_id=referred),
        event("referral.completed", 5, referral_id=referred),
        event("referral.reopened", 6, referral_id=referred),
    )
    assert way.told == ["entered formation", "left formation"]


# Voided


@pytest.mark.parametrize("completed", [False, True])
def test_a_voided_step_is_in_nobody_s_way_and_the_welcome_that_it_ended_goes_on(completed: bool) -> None:
    referred = uuid4()
    way = begun(referred)
    if completed:
        way.then(event("referral.completed", 6, referral_id=referred))
    way.then(event("referral.voided", 8, referral_id=referred))
    assert [(s.moment, s.open, s.entered_at) for s in way.steps()] == [("accueil", True, MORNING)]
    assert way.told == ["entered accueil", "left accueil", "entered formation", "left formation", "entered accueil"]
    way.then(event("training.started", 12, training_id=uuid4()))
    assert [(s.moment, s.open) for s in way.steps()] == [("accueil", False), ("formation", True)]


def test_a_welcome_stays_ended_where_another_step_began() -> None:
    referred = uuid4()
    way = begun(referred)
    way.then(event("training.started", 5, training_id=uuid4()), event("referral.voided", 8, referral_id=referred))
    assert [(s.moment, s.open) for s in way.steps()] == [("accueil", False), ("formation", True)]


def test_a_voided_referral_takes_nothing_from_the_training_that_answered_it() -> None:
    way, referred, course = Way(), uuid4(), uuid4()
    way.then(
        event("referral.sent", referral_id=referred),
        event("training.started", 1, training_id=course, referral_id=referred),
        event("referral.voided", 2, referral_id=referred),
    )
    assert way.now_at() == {"formation"}


def test_voided_twice_or_voided_unknown_does_nothing() -> None:
    referred = uuid4()
    way = begun(referred)
    way.then(event("referral.voided", 8, referral_id=referred))
    assert way.then(event("referral.voided", 9, referral_id=referred)) == Effect()
    assert way.then(event("referral.voided", 9, referral_id=uuid4())) == Effect()
    assert way.then(event("referral.reopened", 9, referral_id=referred)) == Effect()


# Counts


def test_a_voided_referral_takes_off_what_it_added_in_the_months_it_did() -> None:
    referred = uuid4()
    story = [
        event("referral.sent", 0, referral_id=referred),
        event("referral.waitlisted", 1, referral_id=referred),
        event("referral.accepted", 40, referral_id=referred),
    ]
    void = event("referral.voided", 80, referral_id=referred)
    assert delta(void, story) == {
        Cell("referrals_sent", *MARCH): -1,
        Cell("referrals_waitlisted", *MARCH): -1,
        Cell("referrals_accepted", "2026-04", *MARCH[1:]): -1,
    }
    assert net([*story, void]) == {}
    assert delta(event("referral.voided", 81, referral_id=referred), [*story, void]) == {}


def test_a_reopened_end_is_taken_off_and_only_the_last_one() -> None:
    referred = uuid4()
    kinds = ["sent", "declined", "reopened", "accepted", "started", "interrupted", "reopened", "completed", "reopened"]
    story = [event(f"referral.{kind}", referral_id=referred) for kind in kinds]
    assert net(story) == {Cell("referrals_sent", *MARCH): 1, Cell("referrals_accepted", *MARCH): 1}


def test_a_voided_trial_takes_nothing_off() -> None:
    referred = uuid4()
    story = [event(f"referral.{kind}", referral_id=referred, trial=True) for kind in ("sent", "declined", "voided")]
    assert net(story[:2]) == {}
    assert net(story) == {}


def test_each_measure_has_a_name_of_its_own() -> None:
    assert len({measure.name for measure in MEASURES.values()}) == len(MEASURES)
