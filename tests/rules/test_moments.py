"""A person's way follows from what partners report, in whatever order life takes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from schemas.catalogue import TYPES
from schemas.envelope import Event
from schemas.examples import DATA, SEALED
from services.observation.counts.rules import MEASURES, Cell, cell_of
from services.observation.pathways.rules import MOMENTS, Effect, Step, effect_of, steps_after

MORNING = datetime(2026, 3, 2, 8, tzinfo=UTC)


def event(kind: str, day: int = 0, *, unreadable: bool = False, **data: Any) -> Event:
    """An event like the example, so many days after the first morning; `unreadable`: the person's key is gone."""
    type_ = f"jalons.{kind}.v1"
    payload = TYPES[type_]
    sealed_fields = {name: data.pop(name) for name in ("goal", "chosen_by") if name in data}
    sealed = None
    if payload.SEALED and not unreadable:
        sealed = payload.SEALED.model_validate(SEALED[type_] | sealed_fields)
    at = MORNING + timedelta(days=day)
    base = {name: value for name, value in DATA[type_].items() if name not in {"referral_id", "offer"}}
    return Event(
        id=uuid4(),
        source="/services/referrals",
        subject="3f8a1c52-6d0e-4b7a-9c21-5e4d7f60a913",
        sequence=1,
        time=at,
        recorded=at,
        partner="cpas-hotton",
        correlation=uuid4(),
        causation=uuid4(),
        data=payload.model_validate({**base, **data}),
        sealed=sealed,
    )


class Way:
    """A person's steps, event after event, and what each event told."""

    def __init__(self) -> None:
        self.known: list[Step] = []
        self.all: dict[UUID, Step] = {}
        self.told: list[str] = []

    def then(self, *events: Event) -> Effect:
        for each in events:
            done = effect_of(self.known, each)
            self.known = steps_after(self.known, done)
            self.all |= {step.first_event: step for step in done.changed}
            self.told += [f"left {s.moment}" for s in done.left] + [f"entered {s.moment}" for s in done.entered]
        return done

    @property
    def open(self) -> list[Step]:
        """Announced and open."""
        return [step for step in self.known if not step.closed]

    def steps(self) -> list[Step]:
        """As the way is shown."""
        shown = (s for s in self.all.values() if s.entered_at and not s.retracted_at)
        return sorted(shown, key=lambda s: (s.entered_at, s.first_event))

    def now_at(self) -> set[str]:
        return {step.moment for step in self.open if step.open}


def test_bilan_then_art60_then_back_to_preformation_in_parallel_then_formation() -> None:
    bilan, permis, course, art60 = (uuid4() for _ in range(4))
    referred = uuid4()
    story = [
        event("beneficiary.registered"),
        event("referral.sent", 1, referral_id=referred, moment="projet", goal="choose_project", chosen_by="together"),
        event("referral.accepted", 2, referral_id=referred, moment="projet"),
        event("training.started", 5, training_id=bilan, referral_id=referred, moment="projet"),
        event("referral.started", 5, referral_id=referred, moment="projet", answered_by="training"),
        event("training.completed", 9, training_id=bilan, referral_id=referred, moment="projet"),
        event("referral.completed", 9, referral_id=referred, moment="projet"),
        event("placement.confirmed", 12, placement_id=art60, planned_start="2026-03-14"),
        event("placement.started", 12, placement_id=art60, goal="statutory", chosen_by="required"),
        event("training.started", 20, training_id=permis, moment="preformation", goal="lift_obstacle"),
        event("training.started", 30, training_id=course, moment="formation", goal="qualify"),
        event("training.completed", 40, training_id=permis, moment="preformation"),
    ]
    way = Way()
    way.then(*story)

    assert way.told == [
        "entered accueil",
        "left accueil",
        "entered projet",
        "left projet",
        "entered experience",
        "entered preformation",
        "entered formation",
        "left preformation",
    ]
    projet, experience, preformation, formation = way.steps()[1:]
    assert (projet.step, projet.follows, projet.cause) == (referred, None, story[3].id)
    assert (experience.goal, experience.chosen_by, experience.cause) == ("statutory", "required", story[8].id)
    assert preformation.goal == "lift_obstacle"
    assert experience.entered_at < preformation.entered_at < formation.entered_at
    assert way.now_at() == {"experience", "formation"}
    assert {s.moment: s.left_at is None for s in (experience, preformation, formation)} == {
        "experience": True,
        "preformation": False,
        "formation": True,
    }


def test_accueil_ends_at_the_first_other_step_only() -> None:
    way = Way()
    way.then(event("beneficiary.registered"), event("referral.sent", 1, referral_id=uuid4()))
    assert way.now_at() == {"accueil"}
    way.then(event("training.started", 2, training_id=uuid4()))
    way.then(event("training.started", 3, training_id=uuid4()))
    assert way.told == ["entered accueil", "left accueil", "entered formation", "entered formation"]


def test_a_referral_without_training_is_the_step_and_says_its_sense_beforehand() -> None:
    way, referred, earlier = Way(), uuid4(), uuid4()
    sent = event("referral.sent", referral_id=referred, follows=earlier, goal="discover", chosen_by="person")
    way.then(sent)
    assert way.now_at() == set()
    started = event("referral.started", 4, referral_id=referred, answered_by=None)
    (step,) = way.then(started).entered
    assert (step.step, step.partner, step.cause) == (referred, "le-trusquin", started.id)
    assert (step.goal, step.chosen_by, step.follows) == ("discover", "person", earlier)
    (left,) = way.then(event("referral.completed", 9, referral_id=referred)).left
    assert left.left_at == MORNING + timedelta(days=9)


@pytest.mark.parametrize("training_first", [True, False])
def test_a_training_that_answers_a_referral_is_one_step_whichever_is_told_first(training_first: bool) -> None:
    way, referred = Way(), uuid4()
    training_id = uuid4()
    both = [
        event("training.started", 3, training_id=training_id, referral_id=referred),
        event("referral.started", 3, referral_id=referred, answered_by="training", answered_by_id=training_id),
    ]
    way.then(event("referral.sent", referral_id=referred), *(both if training_first else both[::-1]))
    assert [(s.step, s.holder) for s in way.steps()] == [(referred, training_id)]
    way.then(event("referral.completed", 8, referral_id=referred))
    assert way.now_at() == {"formation"}, "the training goes on after the referral is answered"
    way.then(event("training.completed", 9, training_id=training_id, referral_id=referred))
    assert way.told == ["entered formation", "left formation"]


def test_a_training_continues_the_step_that_its_referral_had_begun() -> None:
    way, referred, training_id = Way(), uuid4(), uuid4()
    way.then(event("referral.sent", referral_id=referred, goal="discover"))
    way.then(event("referral.started", 1, referral_id=referred, answered_by=None))
    way.then(event("training.started", 2, training_id=training_id, referral_id=referred, goal="qualify"))
    assert [(s.step, s.holder, s.goal) for s in way.steps()] == [(referred, training_id, "discover")]
    assert way.told == ["entered formation"]


def test_a_declined_referral_leaves_no_step() -> None:
    way, referred = Way(), uuid4()
    way.then(event("referral.sent", referral_id=referred), event("referral.declined", 2, referral_id=referred))
    assert way.open == []
    assert way.told == []


@pytest.mark.parametrize(
    ("planned", "prepares"),
    [("2026-03-01", False), ("2026-03-02", False), ("2026-03-03", True)],
)
def test_a_placement_is_prepared_only_if_it_does_not_start_the_same_day(planned: str, prepares: bool) -> None:
    way, job = Way(), uuid4()
    way.then(event("placement.confirmed", placement_id=job, planned_start=planned))
    assert way.now_at() == ({"preparation_emploi"} if prepares else set())
    way.then(event("placement.started", 1, placement_id=job))
    assert way.now_at() == {"experience"}
    assert ("left preparation_emploi" in way.told) is prepares
    way.then(event("placement.ended", 9, placement_id=job))
    assert way.now_at() == set()


def test_the_day_of_a_confirmation_is_the_day_in_brussels() -> None:
    late = replace(
        event("placement.confirmed", placement_id=uuid4(), planned_start="2026-03-03"),
        time=datetime(2026, 3, 2, 23, 30, tzinfo=UTC),
    )
    assert effect_of([], late) == Effect()


def test_the_placement_of_a_referral_keeps_what_it_builds_on() -> None:
    way, referred, job, earlier = Way(), uuid4(), uuid4(), uuid4()
    way.then(event("referral.sent", referral_id=referred, follows=earlier, moment="experience"))
    way.then(event("placement.confirmed", 1, placement_id=job, referral_id=referred, planned_start="2026-03-20"))
    way.then(event("placement.started", 18, placement_id=job, referral_id=referred))
    assert [(s.moment, s.step, s.follows) for s in way.steps()] == [
        ("preparation_emploi", referred, earlier),
        ("experience", referred, earlier),
    ]


def test_ends_without_beginnings_are_no_error_and_an_end_reported_too_early_is_not_before_its_beginning() -> None:
    way, course = Way(), uuid4()
    assert way.then(event("training.completed", training_id=course)) == Effect()
    assert way.then(event("placement.ended", placement_id=uuid4())) == Effect()
    way.then(event("training.started", 5, training_id=course))
    (left,) = way.then(event("training.completed", 3, training_id=course)).left
    assert left.left_at == left.entered_at == MORNING + timedelta(days=5)


def test_an_event_about_an_open_step_breaks_its_silence_and_another_step_s_does_not() -> None:
    way, referred = Way(), uuid4()
    way.then(event("training.started", training_id=uuid4(), referral_id=referred))
    way.known = [replace(way.known[0], stalled=True)]
    way.then(event("training.started", 8, training_id=uuid4()))
    assert [s.stalled for s in way.open] == [True, False]
    news = event("referral.completed", 9, referral_id=referred)
    (touched,) = way.then(news).updated
    assert (touched.stalled, touched.last_event, touched.last_at) == (False, news.id, news.time)


def test_a_step_whose_sense_cannot_be_read_any_more_still_stands() -> None:
    way = Way()
    way.then(event("training.started", training_id=uuid4(), unreadable=True))
    (step,) = way.steps()
    assert (step.moment, step.goal, step.chosen_by) == ("formation", None, None)


def test_every_row_of_the_table_does_something_to_the_way_it_is_made_for() -> None:
    for payload in MOMENTS:
        kind = payload.TYPE.removeprefix("jalons.").removesuffix(".v1")
        ids = {"referral_id": uuid4(), "training_id": uuid4(), "placement_id": uuid4()}
        base = [event("referral.sent", **ids), event("training.started", 1, **ids | {"referral_id": None})]
        base.append(event("placement.started", 1, **ids | {"referral_id": None}))
        if kind == "beneficiary.left":
            base = [event("beneficiary.registered")]
        way = Way()
        way.then(*base, *([event("referral.declined", 1, **ids)] if kind == "referral.reopened" else []))
        extra = {"answered_by": None} if kind == "referral.started" else {}
        if kind in {"training.started", "placement.started"}:
            extra = {"training_id": uuid4(), "placement_id": uuid4()}
        assert way.then(event(kind, 2, **{**ids, **extra})).changed, kind


def test_story_one_counts_one_person_one_referral_two_trainings_one_placement() -> None:
    referred = uuid4()
    story = [
        event("beneficiary.registered"),
        event("referral.sent", referral_id=referred, moment="projet"),
        event("referral.received", referral_id=referred, moment="projet"),
        event("referral.accepted", referral_id=referred, moment="projet"),
        event("referral.started", referral_id=referred, moment="projet", answered_by="training"),
        event("training.enrolled", training_id=uuid4(), moment="projet"),
        event("training.started", training_id=uuid4(), moment="projet"),
        event("training.started", 40, training_id=uuid4(), moment="formation"),
        event("placement.started", placement_id=uuid4()),
    ]
    cells = Counter(cell for each in story if (cell := cell_of(each)))
    assert cells == {
        Cell("persons_new", "2026-03", "cpas-hotton", "cpas-hotton", "accueil"): 1,
        Cell("referrals_sent", "2026-03", "cpas-hotton", "le-trusquin", "projet"): 1,
        Cell("referrals_accepted", "2026-03", "cpas-hotton", "le-trusquin", "projet"): 1,
        Cell("trainings_started", "2026-03", "cpas-hotton", "le-trusquin", "projet"): 1,
        Cell("trainings_started", "2026-04", "cpas-hotton", "le-trusquin", "formation"): 1,
        Cell("placements_started", "2026-03", "cpas-hotton", "maison-de-repos-hotton", "experience"): 1,
    }


def test_a_month_is_brussels_and_of_when_it_happened() -> None:
    new_year = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    told = replace(event("referral.sent", referral_id=uuid4()), time=new_year, recorded=new_year + timedelta(days=40))
    cell = cell_of(told)
    assert cell is not None
    assert cell.month == "2027-01"


def test_a_trial_never_counts() -> None:
    of_acts = [p.TYPE.removeprefix("jalons.").removesuffix(".v1") for p in MEASURES if "trial" in p.model_fields]
    assert len(of_acts) == len(MEASURES), "each can be a trial's"
    given = {"referral_id": uuid4(), "training_id": uuid4(), "placement_id": uuid4()}
    assert all(cell_of(event(kind, **given)) for kind in of_acts)
    assert not any(cell_of(event(kind, **given, trial=True)) for kind in of_acts)
