"""What is taken back, on a real PostgreSQL: shown and counted no more, and still what the hub knew before."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from jalons.messaging.outbox import Outbox
from schemas.envelope import Event
from services.observation.pathways.stalls import SILENCE, Stalls
from tests.services.test_observation_stage import (
    MORNING,
    REFERRALS,
    Api,
    Person,
    apply,
    counts_of,
    derived,
    whole_stream,
)

pytest_plugins = ["tests.services.test_observation_stage"]

ONE_AT_A_TIME_OR_ALL_AT_ONCE = pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one at a time"])


def story(person: Person, *kinds: str) -> list[Event]:
    """What happens to one referral of a person, registered first, a day apart."""
    about: dict[str, Any] = {"referral_id": uuid4(), "moment": "projet"}
    done = [person.event("beneficiary.registered")]
    for day, kind in enumerate(kinds, 1):
        begun = {"answered_by": None, "answered_by_id": None} if kind == "started" else {}
        done.append(person.event(f"referral.{kind}", day, **about, **begun))
    return done


def heard(engine: Engine, events: list[Event], *, at_once: bool) -> None:
    """In one batch, or each in its own."""
    for batch in [events] if at_once else [[event] for event in events]:
        apply(engine, batch)


def way(api: Api, person: Person, day: float | None = None) -> list[tuple[str, bool]]:
    """The moments as the home partner sees them, and whether each is left; as of a day."""
    asked = {} if day is None else {"as_of": (MORNING + timedelta(days=day)).isoformat()}
    shown = api.get("cpas-hotton", f"/pathways/{person.ref}", **asked)
    return [(step["moment"], step["left_at"] is not None) for step in shown["steps"]]


@ONE_AT_A_TIME_OR_ALL_AT_ONCE
def test_a_voided_referral_is_shown_and_counted_no_more_and_its_events_stay(
    engine: Engine, api: Api, at_once: bool
) -> None:
    person = Person()
    events = story(person, "sent", "accepted", "started", "completed", "voided")
    heard(engine, events, at_once=at_once)
    assert way(api, person) == [("accueil", False)]
    assert way(api, person, 3.5) == [("accueil", True), ("projet", False)], "so it was known then"
    assert way(api, person, 4.5) == [("accueil", True), ("projet", True)]
    shown = api.get("cpas-hotton", f"/pathways/{person.ref}")["events"]
    assert [event["type"] for event in shown] == [event.type for event in events]
    assert {measure: n for measure, n in counts_of(engine).items() if n} == {"persons_new": 1}
    table = api.get("coordinator", "/counts", measure="referrals_sent", by="partner")
    assert (table["cells"], table["total"]) == ([], 0)


@ONE_AT_A_TIME_OR_ALL_AT_ONCE
def test_a_reopened_step_is_shown_from_its_first_day_and_its_end_is_known_to_have_been_said(
    engine: Engine, api: Api, at_once: bool
) -> None:
    person = Person()
    heard(engine, story(person, "sent", "accepted", "started", "interrupted", "reopened"), at_once=at_once)
    assert way(api, person, 4.5) == [("accueil", True), ("projet", True)]
    assert way(api, person) == [("accueil", True), ("projet", False)]
    (step,) = api.get("cpas-hotton", f"/pathways/{person.ref}")["steps"][1:]
    assert step["entered_at"].startswith("2026-03-05")
    assert step["meaning"]["goal"] == "qualify"
    assert {measure: n for measure, n in counts_of(engine).items() if n} == {
        "persons_new": 1,
        "referrals_sent": 1,
        "referrals_accepted": 1,
    }


def test_what_is_entered_anew_is_told_with_the_reopening_as_its_cause_and_numbers_go_on(engine: Engine) -> None:
    person = Person()
    *_, reopened = events = story(person, "sent", "accepted", "started", "completed", "reopened")
    apply(engine, events)
    *_, left, again = derived(engine)
    assert (left.type, again.type) == ("jalons.pathway.moment_left.v1", "jalons.pathway.moment_entered.v1")
    assert (again.causation, again.sequence) == (reopened.id, left.sequence + 1)
    assert again.time == events[3].time, "it was entered when it was"
    assert len({event.id for event in derived(engine)}) == len(derived(engine))
    assert whole_stream(engine)[-1][1].id == again.id


@ONE_AT_A_TIME_OR_ALL_AT_ONCE
def test_only_the_voided_referral_is_taken_off(engine: Engine, at_once: bool) -> None:
    person = Person()
    kept = {"referral_id": uuid4()}
    events = [
        *story(person, "sent", "declined"),
        person.event("referral.sent", 5, **kept),
        person.event("referral.accepted", 6, **kept),
        person.event("referral.voided", 7, referral_id=uuid4()),
    ]
    declined = events[2].data.referral_id
    events.append(person.event("referral.voided", 8, referral_id=declined, moment="projet"))
    heard(engine, events, at_once=at_once)
    assert {measure: n for measure, n in counts_of(engine).items() if n} == {
        "persons_new": 1,
        "referrals_sent": 1,
        "referrals_accepted": 1,
    }


def test_a_step_that_rests_does_not_stall_and_one_that_goes_on_does(engine: Engine) -> None:
    person, course = Person(), {"training_id": uuid4()}
    apply(engine, [person.event("training.started", **course), person.event("training.suspended", 10, **course)])
    stalls = Stalls(engine, Outbox("observation"), REFERRALS)
    assert stalls.look(MORNING + timedelta(days=400)) == 0
    apply(engine, [person.event("training.resumed", 400, **course)])
    assert stalls.look(MORNING + timedelta(days=400) + SILENCE) == 0
    assert stalls.look(MORNING + timedelta(days=401) + SILENCE) == 1


def test_reminders_do_not_keep_a_step_from_stalling(engine: Engine) -> None:
    person, course = Person(), {"training_id": uuid4()}
    apply(engine, [person.event("training.started", **course), person.event("training.news_due", 80, **course)])
    assert Stalls(engine, Outbox("observation"), REFERRALS).look(MORNING + timedelta(days=1) + SILENCE) == 1


@ONE_AT_A_TIME_OR_ALL_AT_ONCE
@pytest.mark.parametrize("taken_back", ["reopened", "voided"])
def test_with_a_decline_its_unmet_need_is_taken_off(engine: Engine, at_once: bool, taken_back: str) -> None:
    person, about = Person(), {"referral_id": uuid4(), "moment": "projet"}
    sent, declined = person.event("referral.sent", **about), person.event("referral.declined", 1, **about)
    unmet = replace(person.event("need.unmet", 1, **about), causation=declined.id)
    heard(engine, [sent, declined, unmet], at_once=at_once)
    assert counts_of(engine)["needs_unmet"] == 1
    heard(engine, [person.event(f"referral.{taken_back}", 2, **about)], at_once=at_once)
    assert (counts_of(engine)["needs_unmet"], counts_of(engine)["referrals_declined"]) == (0, 0)


def test_a_need_of_nobody_is_counted_and_is_on_nobodys_way(engine: Engine, api: Api) -> None:
    said = replace(Person().event("need.reported"), subject=str(uuid4()))
    apply(engine, [said])
    apply(engine, [said])
    table = api.get("le-trusquin", "/counts", measure="needs_reported", by="partner,home")
    assert [(cell["partner"], cell["home"], cell["n"]) for cell in table["cells"]] == [
        ("le-trusquin", "le-trusquin", 1)
    ]
    assert whole_stream(engine) == []
