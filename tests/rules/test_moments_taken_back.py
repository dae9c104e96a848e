"""Ends, suspensions and corrections: after a correction the pathway is as if the error had never been reported."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from services.observation.counts.rules import MEASURES, Cell, delta, net
from services.observation.pathways.rules import PROMPTS, Effect
from tests.rules.test_moments import MORNING, Pathway, event

MARCH = ("2026-03", "cpas-hotton", "le-trusquin", "formation")


def begun(referred, *, until: str = "referral.started") -> Pathway:
    """A registered person with a referral, accepted, and by default started on the fourth day."""
    pathway = Pathway()
    pathway.then(
        event("beneficiary.registered"),
        event("referral.sent", 1, referral_id=referred, goal="discover", chosen_by="person"),
        event("referral.accepted", 2, referral_id=referred),
    )
    if until == "referral.started":
        pathway.then(event("referral.started", 4, referral_id=referred, answered_by=None))
    return pathway


@pytest.mark.parametrize("end", ["declined", "redirected", "cancelled", "expired", "interrupted", "voided"])
def test_an_announced_step_is_withdrawn_without_a_derived_event(end: str) -> None:
    referred = uuid4()
    pathway = begun(referred, until="referral.accepted")
    pathway.then(event(f"referral.{end}", 5, referral_id=referred))
    assert pathway.derived == ["entered accueil"]
    assert [s.moment for s in pathway.open] == ["accueil"]


@pytest.mark.parametrize("end", ["completed", "interrupted", "voided"])
def test_a_referrals_own_step_is_left_at_its_end(end: str) -> None:
    referred = uuid4()
    pathway = begun(referred)
    (left,) = pathway.then(event(f"referral.{end}", 9, referral_id=referred)).left
    assert (left.moment, left.left_at) == ("formation", MORNING + timedelta(days=9))


@pytest.mark.parametrize("end", ["completed", "interrupted", "cancelled"])
def test_any_end_of_a_training_closes_its_step(end: str) -> None:
    pathway, course = Pathway(), uuid4()
    pathway.then(event("training.started", training_id=course), event(f"training.{end}", 3, training_id=course))
    assert pathway.derived == ["entered formation", "left formation"]


@pytest.mark.parametrize("end", ["refused", "cancelled"])
def test_a_placement_that_does_not_start_ends_its_preparation(end: str) -> None:
    pathway, job = Pathway(), uuid4()
    pathway.then(event("placement.confirmed", placement_id=job, planned_start="2026-04-01"))
    pathway.then(event(f"placement.{end}", 3, placement_id=job))
    assert pathway.derived == ["entered preparation_emploi", "left preparation_emploi"]


def test_a_suspended_step_is_open_and_stays_suspended_until_it_resumes() -> None:
    pathway, course = Pathway(), uuid4()
    pathway.then(event("training.started", training_id=course), event("training.suspended", 3, training_id=course))
    (step,) = pathway.open
    assert (step.open, step.suspended) == (True, True)
    pathway.then(event("training.attendance_falling", 4, training_id=course))
    assert pathway.open[0].suspended, "only a resumption ends the suspension"
    pathway.then(event("training.resumed", 80, training_id=course))
    (step,) = pathway.open
    assert (step.suspended, step.last_at) == (False, MORNING + timedelta(days=80))
    assert pathway.derived == ["entered formation"]


@pytest.mark.parametrize("kind", sorted(p.TYPE.removeprefix("jalons.").removesuffix(".v1") for p in PROMPTS))
def test_a_prompt_is_no_activity(kind: str) -> None:
    ids = {"referral_id": uuid4(), "training_id": uuid4(), "placement_id": uuid4()}
    begins = {"training": "training.started", "placement": "placement.started", "referral": "referral.started"}
    pathway = Pathway()
    pathway.then(event(begins[kind.split(".", maxsplit=1)[0]], **ids | {"answered_by": None}))
    assert pathway.then(event(kind, 40, **ids)) == Effect()


@pytest.mark.parametrize("kind", ["referral.waitlisted", "training.attendance_falling", "placement.evaluated"])
def test_an_act_of_a_party_is_activity(kind: str) -> None:
    ids = {"referral_id": uuid4(), "training_id": uuid4(), "placement_id": uuid4()}
    begins = {"training": "training.started", "placement": "placement.started", "referral": "referral.started"}
    pathway = Pathway()
    pathway.then(event(begins[kind.split(".", maxsplit=1)[0]], **ids | {"answered_by": None}))
    (touched,) = pathway.then(event(kind, 40, **ids)).updated
    assert touched.last_at == MORNING + timedelta(days=40)


# Reopened


@pytest.mark.parametrize("end", ["completed", "interrupted"])
def test_a_reopened_step_is_one_step_from_its_first_day_and_is_entered_again(end: str) -> None:
    referred = uuid4()
    pathway = begun(referred)
    ended = event(f"referral.{end}", 9, referral_id=referred)
    reopened = event("referral.reopened", 10, referral_id=referred, status="started")
    done = pathway.then(ended, reopened)
    _, before = [s for s in pathway.all.values() if s.step == referred], pathway.steps()
    accueil, step = before
    assert (accueil.moment, accueil.open) == ("accueil", False)
    assert (step.open, step.entered_at, step.goal) == (True, MORNING + timedelta(days=4), "discover")
    assert [s.entered_recorded for s in done.entered] == [reopened.recorded]
    assert step.last_event == reopened.id, "the ninety days start here"
    assert pathway.derived[-2:] == ["left formation", "entered formation"]
    pathway.then(event("referral.completed", 20, referral_id=referred))
    assert [(s.moment, s.left_at) for s in pathway.steps()][1:] == [("formation", MORNING + timedelta(days=20))]


def test_a_step_reopened_twice_is_still_one_step() -> None:
    referred = uuid4()
    pathway = begun(referred)
    for day in (9, 20):
        pathway.then(event("referral.completed", day, referral_id=referred))
        pathway.then(event("referral.reopened", day + 1, referral_id=referred))
    assert [s.moment for s in pathway.steps()] == ["accueil", "formation"]


def test_a_reopened_declined_referral_keeps_its_meaning_when_it_starts() -> None:
    referred = uuid4()
    pathway = begun(referred, until="referral.accepted")
    pathway.then(
        event("referral.declined", 3, referral_id=referred), event("referral.reopened", 4, referral_id=referred)
    )
    assert pathway.derived == ["entered accueil"]
    (step,) = pathway.then(event("referral.started", 5, referral_id=referred, answered_by=None)).entered
    assert (step.goal, step.chosen_by) == ("discover", "person")


def test_reopening_a_referral_does_not_reopen_the_training_that_answered_it() -> None:
    pathway, referred, course = Pathway(), uuid4(), uuid4()
    pathway.then(
        event("referral.sent", referral_id=referred),
        event("training.started", 1, training_id=course, referral_id=referred),
        event("training.completed", 5, training_id=course, referral_id=referred),
        event("referral.completed", 5, referral_id=referred),
        event("referral.reopened", 6, referral_id=referred),
    )
    assert pathway.derived == ["entered formation", "left formation"]


# Voided


@pytest.mark.parametrize("completed", [False, True])
def test_a_voided_step_is_removed_and_the_accueil_it_ended_is_open_again(completed: bool) -> None:
    referred = uuid4()
    pathway = begun(referred)
    if completed:
        pathway.then(event("referral.completed", 6, referral_id=referred))
    pathway.then(event("referral.voided", 8, referral_id=referred))
    assert [(s.moment, s.open, s.entered_at) for s in pathway.steps()] == [("accueil", True, MORNING)]
    assert pathway.derived == [
        "entered accueil",
        "left accueil",
        "entered formation",
        "left formation",
        "entered accueil",
    ]
    pathway.then(event("training.started", 12, training_id=uuid4()))
    assert [(s.moment, s.open) for s in pathway.steps()] == [("accueil", False), ("formation", True)]


def test_accueil_stays_closed_if_another_step_began() -> None:
    referred = uuid4()
    pathway = begun(referred)
    pathway.then(event("training.started", 5, training_id=uuid4()), event("referral.voided", 8, referral_id=referred))
    assert [(s.moment, s.open) for s in pathway.steps()] == [("accueil", False), ("formation", True)]


def test_voiding_a_referral_does_not_touch_the_training_that_answered_it() -> None:
    pathway, referred, course = Pathway(), uuid4(), uuid4()
    pathway.then(
        event("referral.sent", referral_id=referred),
        event("training.started", 1, training_id=course, referral_id=referred),
        event("referral.voided", 2, referral_id=referred),
    )
    assert pathway.now_at() == {"formation"}


def test_voiding_twice_or_voiding_an_unknown_referral_does_nothing() -> None:
    referred = uuid4()
    pathway = begun(referred)
    pathway.then(event("referral.voided", 8, referral_id=referred))
    assert pathway.then(event("referral.voided", 9, referral_id=referred)) == Effect()
    assert pathway.then(event("referral.voided", 9, referral_id=uuid4())) == Effect()
    assert pathway.then(event("referral.reopened", 9, referral_id=referred)) == Effect()


# Counts


def test_voiding_subtracts_in_the_months_in_which_the_referral_added() -> None:
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


def test_reopening_subtracts_only_the_last_end() -> None:
    referred = uuid4()
    kinds = ["sent", "declined", "reopened", "accepted", "started", "interrupted", "reopened", "completed", "reopened"]
    story = [event(f"referral.{kind}", referral_id=referred) for kind in kinds]
    assert net(story) == {Cell("referrals_sent", *MARCH): 1, Cell("referrals_accepted", *MARCH): 1}


def test_voiding_a_trial_subtracts_nothing() -> None:
    referred = uuid4()
    story = [event(f"referral.{kind}", referral_id=referred, trial=True) for kind in ("sent", "declined", "voided")]
    assert net(story[:2]) == {}
    assert net(story) == {}


def test_measure_names_are_unique() -> None:
    assert len({measure.name for measure in MEASURES.values()}) == len(MEASURES)
