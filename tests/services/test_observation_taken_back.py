"""Voided and reopened referrals on a real PostgreSQL: neither shown nor counted, and still found with `as_of`."""

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
    derived_events,
    stream_events,
)

pytest_plugins = ["tests.services.test_observation_stage"]

ONE_AT_A_TIME_OR_ALL_AT_ONCE = pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one at a time"])


def story(person: Person, *kinds: str) -> list[Event]:
    """The registration of a person and the events of one referral, a day apart."""
    about: dict[str, Any] = {"referral_id": uuid4(), "moment": "projet"}
    done = [person.event("beneficiary.registered")]
    for day, kind in enumerate(kinds, 1):
        begun = {"answered_by": None, "answered_by_id": None} if kind == "started" else {}
        done.append(person.event(f"referral.{kind}", day, **about, **begun))
    return done


def apply_story(engine: Engine, events: list[Event], *, at_once: bool) -> None:
    """In one batch, or each event in a batch of its own."""
    for batch in [events] if at_once else [[event] for event in events]:
        apply(engine, batch)


def pathway(api: Api, person: Person, day: float | None = None) -> list[tuple[str, bool]]:
    """The moments as the home partner sees them as of a day, and whether each was left."""
    asked = {} if day is None else {"as_of": (MORNING + timedelta(days=day)).isoformat()}
    shown = api.get("cpas-hotton", f"/pathways/{person.ref}", **asked)
    return [(step["moment"], step["left_at"] is not None) for step in shown["steps"]]


@ONE_AT_A_TIME_OR_ALL_AT_ONCE
def test_a_voided_referral_is_neither_shown_nor_counted_and_its_events_stay(
    engine: Engine, api: Api, at_once: bool
) -> None:
    person = Person()
    events = story(person, "sent", "accepted", "started", "completed", "voided")
    apply_story(engine, events, at_once=at_once)
    assert pathway(api, person) == [("accueil", False)]
    assert pathway(api, person, 3.5) == [("accueil", True), ("projet", False)], "what the hub knew then"
    assert pathway(api, person, 4.5) == [("accueil", True), ("projet", True)]
    shown = api.get("cpas-hotton", f"/pathways/{person.ref}")["events"]
    assert [event["type"] for event in shown] == [event.type for event in events]
    assert {measure: n for measure, n in counts_of(engine).items() if n} == {"persons_new": 1}
    table = api.get("coordinator", "/counts", measure="referrals_sent", by="partner")
    assert (table["cells"], table["total"]) == ([], 0)


@ONE_AT_A_TIME_OR_ALL_AT_ONCE
def test_a_reopened_step_is_shown_from_its_first_day_and_as_of_still_shows_its_end(
    engine: Engine, api: Api, at_once: bool
) -> None:
    person = Person()
    apply_story(engine, story(person, "sent", "accepted", "started", "interrupted", "reopened"), at_once=at_once)
    assert pathway(api, person, 4.5) == [("accueil", True), ("projet", True)]
    assert pathway(api, person) == [("accueil", True), ("projet", False)]
    (step,) = api.get("cpas-hotton", f"/pathways/{person.ref}")["steps"][1:]
    assert step["entered_at"].startswith("2026-03-05")
    assert step["meaning"]["goal"] == "qualify"
    assert {measure: n for measure, n in counts_of(engine).items() if n} == {
        "persons_new": 1,
        "referrals_sent": 1,
        "referrals_accepted": 1,
    }


def test_a_reopened_step_is_published_as_entered_with_the_reopening_as_cause(engine: Engine) -> None:
    person = Person()
    *_, reopened = events = story(person, "sent", "accepted", "started", "completed", "reopened")
    apply(engine, events)
    *_, left, again = derived_events(engine)
    assert (left.type, again.type) == ("jalons.pathway.moment_left.v1", "jalons.pathway.moment_entered.v1")
    assert (again.causation, again.sequence) == (reopened.id, left.sequence + 1)
    assert again.time == events[3].time, "the time at which it was first entered"
    assert len({event.id for event in derived_events(engine)}) == len(derived_events(engine))
    assert stream_events(engine)[-1][1].id == again.id


@ONE_AT_A_TIME_OR_ALL_AT_ONCE
def test_only_the_voided_referral_is_subtracted_from_counts(engine: Engine, at_once: bool) -> None:
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
    apply_story(engine, events, at_once=at_once)
    assert {measure: n for measure, n in counts_of(engine).items() if n} == {
        "persons_new": 1,
        "referrals_sent": 1,
        "referrals_accepted": 1,
    }


def test_a_suspended_step_does_not_stall_and_a_resumed_one_does(engine: Engine) -> None:
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
def test_a_corrected_decline_also_subtracts_its_unmet_need(engine: Engine, at_once: bool, taken_back: str) -> None:
    person, about = Person(), {"referral_id": uuid4(), "moment": "projet"}
    sent, declined = person.event("referral.sent", **about), person.event("referral.declined", 1, **about)
    unmet = replace(person.event("need.unmet", 1, **about), causation=declined.id)
    apply_story(engine, [sent, declined, unmet], at_once=at_once)
    assert counts_of(engine)["needs_unmet"] == 1
    apply_story(engine, [person.event(f"referral.{taken_back}", 2, **about)], at_once=at_once)
    assert (counts_of(engine)["needs_unmet"], counts_of(engine)["referrals_declined"]) == (0, 0)


def test_a_need_without_a_person_is_counted_and_is_in_no_pathway(engine: Engine, api: Api) -> None:
    said = replace(Person().event("need.reported"), subject=str(uuid4()))
    apply(engine, [said])
    apply(engine, [said])
    table = api.get("le-trusquin", "/counts", measure="needs_reported", by="partner,home")
    assert [(cell["partner"], cell["home"], cell["n"]) for cell in table["cells"]] == [
        ("le-trusquin", "le-trusquin", 1)
    ]
    assert stream_events(engine) == []
