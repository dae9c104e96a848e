"""A pathway is derived from what partners report, in any order."""

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
    """The type's example event. day: days after MORNING; unreadable: the person's key is destroyed."""
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


class Pathway:
    """A person's steps after each event, and the derived events so far."""

    def __init__(self) -> None:
        self.known: list[Step] = []
        self.all: dict[UUID, Step] = {}
        self.derived: list[str] = []

    def then(self, *events: Event) -> Effect:
        for each in events:
            done = effect_of(self.known, each)
            self.known = steps_after(self.known, done)
            self.all |= {step.first_event: step for step in done.changed}
            self.derived += [f"left {s.moment}" for s in done.left] + [f"entered {s.moment}" for s in done.entered]
        return done

    @property
    def open(self) -> list[Step]:
        """The announced and open steps."""
        return [step for step in self.known if not step.closed]

    def steps(self) -> list[Step]:
        """The steps as a pathway shows them."""
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
    pathway = Pathway()
    pathway.then(*story)

    assert pathway.derived == [
        "entered accueil",
        "left accueil",
        "entered projet",
        "left projet",
        "entered experience",
        "entered preformation",
        "entered formation",
        "left preformation",
    ]
    projet, experience, preformation, formation = pathway.steps()[1:]
    assert (projet.step, projet.follows, projet.cause) == (referred, None, story[3].id)
    assert (experience.goal, experience.chosen_by, experience.cause) == ("statutory", "required", story[8].id)
    assert preformation.goal == "lift_obstacle"
    assert experience.entered_at < preformation.entered_at < formation.entered_at
    assert pathway.now_at() == {"experience", "formation"}
    assert {s.moment: s.left_at is None for s in (experience, preformation, formation)} == {
        "experience": True,
        "preformation": False,
        "formation": True,
    }


def test_accueil_ends_at_the_first_other_step_only() -> None:
    pathway = Pathway()
    pathway.then(event("beneficiary.registered"), event("referral.sent", 1, referral_id=uuid4()))
    assert pathway.now_at() == {"accueil"}
    pathway.then(event("training.started", 2, training_id=uuid4()))
    pathway.then(event("training.started", 3, training_id=uuid4()))
    assert pathway.derived == ["entered accueil", "left accueil", "entered formation", "entered formation"]


def test_a_referral_without_training_is_the_step_and_states_its_meaning_beforehand() -> None:
    pathway, referred, earlier = Pathway(), uuid4(), uuid4()
    sent = event("referral.sent", referral_id=referred, follows=earlier, goal="discover", chosen_by="person")
    pathway.then(sent)
    assert pathway.now_at() == set()
    started = event("referral.started", 4, referral_id=referred, answered_by=None)
    (step,) = pathway.then(started).entered
    assert (step.step, step.partner, step.cause) == (referred, "le-trusquin", started.id)
    assert (step.goal, step.chosen_by, step.follows) == ("discover", "person", earlier)
    (left,) = pathway.then(event("referral.completed", 9, referral_id=referred)).left
    assert left.left_at == MORNING + timedelta(days=9)


@pytest.mark.parametrize("training_first", [True, False])
def test_a_training_that_answers_a_referral_is_one_step_in_either_order(training_first: bool) -> None:
    pathway, referred = Pathway(), uuid4()
    training_id = uuid4()
    both = [
        event("training.started", 3, training_id=training_id, referral_id=referred),
        event("referral.started", 3, referral_id=referred, answered_by="training", answered_by_id=training_id),
    ]
    pathway.then(event("referral.sent", referral_id=referred), *(both if training_first else both[::-1]))
    assert [(s.step, s.holder) for s in pathway.steps()] == [(referred, training_id)]
    pathway.then(event("referral.completed", 8, referral_id=referred))
    assert pathway.now_at() == {"formation"}, "the training goes on after the referral is answered"
    pathway.then(event("training.completed", 9, training_id=training_id, referral_id=referred))
    assert pathway.derived == ["entered formation", "left formation"]


def test_a_training_continues_the_step_that_its_referral_had_begun() -> None:
    pathway, referred, training_id = Pathway(), uuid4(), uuid4()
    pathway.then(event("referral.sent", referral_id=referred, goal="discover"))
    pathway.then(event("referral.started", 1, referral_id=referred, answered_by=None))
    pathway.then(event("training.started", 2, training_id=training_id, referral_id=referred, goal="qualify"))
    assert [(s.step, s.holder, s.goal) for s in pathway.steps()] == [(referred, training_id, "discover")]
    assert pathway.derived == ["entered formation"]


def test_a_declined_referral_leaves_no_step() -> None:
    pathway, referred = Pathway(), uuid4()
    pathway.then(event("referral.sent", referral_id=referred), event("referral.declined", 2, referral_id=referred))
    assert pathway.open == []
    assert pathway.derived == []


@pytest.mark.parametrize(
    ("planned", "prepares"),
    [("2026-03-01", False), ("2026-03-02", False), ("2026-03-03", True)],
)
def test_a_placement_is_prepared_only_if_it_does_not_start_the_same_day(planned: str, prepares: bool) -> None:
    pathway, job = Pathway(), uuid4()
    pathway.then(event("placement.confirmed", placement_id=job, planned_start=planned))
    assert pathway.now_at() == ({"preparation_emploi"} if prepares else set())
    pathway.then(event("placement.started", 1, placement_id=job))
    assert pathway.now_at() == {"experience"}
    assert ("left preparation_emploi" in pathway.derived) is prepares
    pathway.then(event("placement.ended", 9, placement_id=job))
    assert pathway.now_at() == set()


def test_the_day_of_a_confirmation_is_the_day_in_brussels() -> None:
    late = replace(
        event("placement.confirmed", placement_id=uuid4(), planned_start="2026-03-03"),
        time=datetime(2026, 3, 2, 23, 30, tzinfo=UTC),
    )
    assert effect_of([], late) == Effect()


def test_the_placement_of_a_referral_keeps_the_step_it_follows() -> None:
    pathway, referred, job, earlier = Pathway(), uuid4(), uuid4(), uuid4()
    pathway.then(event("referral.sent", referral_id=referred, follows=earlier, moment="experience"))
    pathway.then(event("placement.confirmed", 1, placement_id=job, referral_id=referred, planned_start="2026-03-20"))
    pathway.then(event("placement.started", 18, placement_id=job, referral_id=referred))
    assert [(s.moment, s.step, s.follows) for s in pathway.steps()] == [
        ("preparation_emploi", referred, earlier),
        ("experience", referred, earlier),
    ]


def test_an_end_without_a_start_is_no_error_and_an_early_end_is_dated_at_the_start() -> None:
    pathway, course = Pathway(), uuid4()
    assert pathway.then(event("training.completed", training_id=course)) == Effect()
    assert pathway.then(event("placement.ended", placement_id=uuid4())) == Effect()
    pathway.then(event("training.started", 5, training_id=course))
    (left,) = pathway.then(event("training.completed", 3, training_id=course)).left
    assert left.left_at == left.entered_at == MORNING + timedelta(days=5)


def test_an_event_is_activity_of_its_own_step_only() -> None:
    pathway, referred = Pathway(), uuid4()
    pathway.then(event("training.started", training_id=uuid4(), referral_id=referred))
    pathway.known = [replace(pathway.known[0], stalled=True)]
    pathway.then(event("training.started", 8, training_id=uuid4()))
    assert [s.stalled for s in pathway.open] == [True, False]
    news = event("referral.completed", 9, referral_id=referred)
    (touched,) = pathway.then(news).updated
    assert (touched.stalled, touched.last_event, touched.last_at) == (False, news.id, news.time)


def test_a_step_with_an_unreadable_sealed_part_is_still_derived() -> None:
    pathway = Pathway()
    pathway.then(event("training.started", training_id=uuid4(), unreadable=True))
    (step,) = pathway.steps()
    assert (step.moment, step.goal, step.chosen_by) == ("formation", None, None)


def test_every_row_of_the_table_changes_a_pathway() -> None:
    for payload in MOMENTS:
        kind = payload.TYPE.removeprefix("jalons.").removesuffix(".v1")
        ids = {"referral_id": uuid4(), "training_id": uuid4(), "placement_id": uuid4()}
        base = [event("referral.sent", **ids), event("training.started", 1, **ids | {"referral_id": None})]
        base.append(event("placement.started", 1, **ids | {"referral_id": None}))
        if kind == "beneficiary.left":
            base = [event("beneficiary.registered")]
        pathway = Pathway()
        pathway.then(*base, *([event("referral.declined", 1, **ids)] if kind == "referral.reopened" else []))
        extra = {"answered_by": None} if kind == "referral.started" else {}
        if kind in {"training.started", "placement.started"}:
            extra = {"training_id": uuid4(), "placement_id": uuid4()}
        assert pathway.then(event(kind, 2, **{**ids, **extra})).changed, kind


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


def test_an_event_is_counted_in_the_month_it_happened_in_brussels() -> None:
    new_year = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    late = replace(event("referral.sent", referral_id=uuid4()), time=new_year, recorded=new_year + timedelta(days=40))
    cell = cell_of(late)
    assert cell is not None
    assert cell.month == "2027-01"


def test_a_trial_is_never_counted() -> None:
    of_acts = [p.TYPE.removeprefix("jalons.").removesuffix(".v1") for p in MEASURES if "trial" in p.model_fields]
    assert len(of_acts) == len(MEASURES), "each can be part of a trial"
    given = {"referral_id": uuid4(), "training_id": uuid4(), "placement_id": uuid4()}
    assert all(cell_of(event(kind, **given)) for kind in of_acts)
    assert not any(cell_of(event(kind, **given, trial=True)) for kind in of_acts)
