"""The life cycles' tables enumerated, and what each act asks, says and is refused for."""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import codes
from schemas.catalogue import TYPES
from schemas.envelope import Payload
from services.referrals.acts import lifecycle
from services.referrals.acts import rules as acts
from services.referrals.acts.lifecycle import BEFORE, STAYS, NotAllowed, NotGiven, Office, Table, Transition
from services.referrals.acts.rules import (
    MOMENT_OF_KIND,
    Act,
    AlreadyRecorded,
    Placement,
    Referral,
    TooLate,
    Training,
    act,
    open_to,
)
from services.referrals.agreements.rules import NoConsent, NoConvention
from services.referrals.refusals import REFUSALS
from services.referrals.rerouting.rules import ChainTooLong, ComesBack, Followed

TABLES: dict[type[Act], Table] = {
    Referral: lifecycle.REFERRAL,
    Training: lifecycle.TRAINING,
    Placement: lifecycle.PLACEMENT,
}
FIRST = {Referral: "sent", Training: "enrolled", Placement: "proposed"}
TODAY = date(2026, 11, 24)
PARTY: dict[str, str] = {
    "referrer": "cpas-hotton",
    "recipient": "le-trusquin",
    "home": "cpas-hotton",
    "operator": "le-trusquin",
    "proposer": "cpas-hotton",
    "employer": "home-hotton",
    "author": "forem-marche",
    "hub": Office.HUB,
    "coordinator": Office.COORDINATOR,
}
AUTHORS = {"last_act": {"by": "forem-marche", "on": "2026-11-24", "before": "received", "said": [], "reported": False}}
"""What an act left of which a third is the author, who has no other right in it."""
GIVEN = {
    "first_contact_on": "2026-12-03",
    "reason": "no_place",
    "declined_by": "provider",
    "started_on": "2026-12-07",
    "outcome": "reached",
    "hours_done": 240,
    "ended_on": "2027-08-31",
    "rank": 2,
    "expected_on": "2027-01-11",
    "recipient": "lire-et-ecrire",
    "offer": "remise-a-niveau",
    "months": 3,
    "situation": "in_job",
}
REASONS = {"reopen": "situation_changed", "void": "wrong_person", "decline": "no_place", "refuse": "no_place"}
BY_COMMAND = {
    "redirect": {
        "redirected_to": str(uuid.uuid4()),
        "redirected_reference": "R-4M2P-8XK",
        "recipient": "lire-et-ecrire",
    },
    "suggest": {"suggested_partner": "lire-et-ecrire"},
}
"""What the command adds to what the caller gave."""


def new(kind: type[Act], status: str = "", **facts: Any) -> Any:
    """One that was just made, or stands at a status."""
    shared = {
        "id": uuid.uuid4(),
        "reference": "R-7K4M-2QX",
        "ref": uuid.uuid4(),
        "home": "cpas-hotton",
        "status": status or FIRST[kind],
        "version": 1,
    }
    sense = {"goal": "qualify", "chosen_by": "together", "planned_start": "2026-12-07"}
    if kind is Referral:
        sense |= {"reason": "training", "contact": "person_comes", "reply_by": "2026-12-01", "disclosed": {}}
        own = {"referrer": "cpas-hotton", "recipient": "le-trusquin", "moment": "formation"}
        return Referral(**shared, **own, facts={**sense, "recipient_kind": "training_operator", **facts})
    if kind is Training:
        return Training(
            **shared, operator="le-trusquin", moment="formation", facts={**sense, "kind": "formation", **facts}
        )
    return Placement(**shared, proposer="cpas-hotton", employer="home-hotton", facts={**sense, "kind": "cdd", **facts})


def said_of(kind: type[Act], action: str, name: str) -> Any:
    """What is said under a name with an action."""
    if name == "reason":
        return REASONS.get(action, "moved")
    return "acquired" if (kind, name) == (Training, "outcome") else GIVEN[name]


def all_given(kind: type[Act], row: Transition) -> dict[str, Any]:
    """What a row asks for, the first of each choice."""
    asked = {name.split("|")[0] for name in row.must_give}
    return {name: said_of(kind, row.action, name) for name in asked} | BY_COMMAND.get(row.action, {})


ROWS = [(kind, row) for kind, table in TABLES.items() for row in table if row.source]
NAMES = [f"{kind.__name__}-{row.action}-{min(row.source)}" for kind, row in ROWS]
BEGINNINGS = {Referral: acts.sent, Training: acts.enrolled, Placement: acts.proposed}


@pytest.mark.parametrize(("kind", "row"), ROWS, ids=NAMES)
def test_every_row_makes_an_event_of_the_catalogue(kind: type[Act], row: Transition) -> None:
    for source in row.source:
        for role in row.by:
            state = new(kind, source, **AUTHORS)
            assert row.action in open_to(state, PARTY[role], TODAY)
            decided = act(state, row.action, PARTY[role], all_given(kind, row), TODAY)
            target = {STAYS: source, BEFORE: "received"}.get(row.target, row.target)
            assert (decided.state.status, decided.state.version) == (target, 2)
            assert TYPES[decided.event.TYPE] is type(decided.event)
            assert isinstance(decided.sealed, decided.event.SEALED or type(None))
            assert decided.event.model_dump()["reference"] == state.reference
            assert (state.status, state.version) == (source, 1), "what was is not changed"


@pytest.mark.parametrize(("kind", "row"), ROWS, ids=NAMES)
def test_every_row_is_refused_to_anybody_else_and_in_any_other_status(kind: type[Act], row: Transition) -> None:
    told = all_given(kind, row)
    for status in {source for each in TABLES[kind] for source in (*each.source, each.target)} - {STAYS, BEFORE}:
        rows = [each for each in TABLES[kind] if each.action == row.action and status in each.source]
        roles = frozenset().union(*(each.by for each in rows))
        state = new(kind, status, **AUTHORS)
        for who in {"mire", *PARTY.values()}:
            if any(PARTY[role] == who for role in roles & {*state.parties(), "author", "hub", "coordinator"}):
                continue
            with pytest.raises(NotAllowed) as refused:
                act(state, row.action, who, told, TODAY)
            assert refused.value.open == open_to(state, who, TODAY)


@pytest.mark.parametrize("kind", TABLES)
def test_every_beginning_is_asked_for_what_it_needs_and_makes_an_event(kind: type[Act]) -> None:
    [row] = [row for row in TABLES[kind] if not row.source]
    whole = {name.split("|")[0]: "said" for name in row.must_give}
    assert lifecycle.begin(TABLES[kind], whole) == row.target == FIRST[kind]
    for name in whole:
        with pytest.raises(NotGiven):
            lifecycle.begin(TABLES[kind], whole | {name: None})
    decided = BEGINNINGS[kind](new(kind))
    assert TYPES[decided.event.TYPE] is type(decided.event)
    assert isinstance(decided.sealed, decided.event.SEALED)


@pytest.mark.parametrize("kind", TABLES)
def test_every_row_can_be_reached_and_every_action_has_one_meaning(kind: type[Act]) -> None:
    reached = {FIRST[kind]}
    for _ in TABLES[kind]:
        reached |= {row.target for row in TABLES[kind] if row.source & reached}
    assert all(row.source <= reached for row in TABLES[kind])
    seen = [(row.action, source, role) for row in TABLES[kind] for source in row.source for role in row.by]
    assert len(seen) == len(set(seen)), "no two rows for one act"
    offices = {"author", *(office.value for office in Office)}
    assert all(row.by <= {*new(kind).parties(), *offices} for row in TABLES[kind]), "only parties and offices act"


NOT_ACTS = {"reminder_due", "escalated", "news_due", "end_near", "follow_up_due"}
"""What the clock says of one, without anybody acting on it."""


def test_every_act_of_the_catalogue_has_a_row_that_says_it() -> None:
    said = {
        act(
            new(kind, next(iter(row.source)), **AUTHORS),
            row.action,
            PARTY[next(iter(row.by))],
            all_given(kind, row),
            TODAY,
        ).event.TYPE
        for kind, row in ROWS
    }
    said |= {make(new(kind)).event.TYPE for kind, make in BEGINNINGS.items()}
    of_acts = {type_ for type_ in TYPES if type_.split(".")[1] in ("referral", "training", "placement")}
    assert said == {type_ for type_ in of_acts if type_.split(".")[2] not in NOT_ACTS}


@pytest.mark.parametrize(("kind", "row"), ROWS, ids=NAMES)
def test_what_must_be_given_is_asked_for_by_name(kind: type[Act], row: Transition) -> None:
    state, who = new(kind, min(row.source), **AUTHORS), PARTY[min(row.by)]
    for asked in row.must_give:
        choice = asked.split("|")
        rest = {name: value for name, value in all_given(kind, row).items() if name not in choice}
        for said in (rest, rest | dict.fromkeys(choice)):
            with pytest.raises(NotGiven) as refused:
                act(state, row.action, who, said, TODAY)
            assert refused.value.missing == [" or ".join(choice)]
        for name in choice:
            lifecycle.step(TABLES[kind], row.action, state.status, row.by, rest | {name: "said"})


tries = st.tuples(
    st.sampled_from(sorted({row.action for _, row in ROWS} | {"", "erase"})),
    st.sampled_from(["cpas-hotton", "le-trusquin", "home-hotton", "mire", "hub", "coordinator", *Office]),
    st.sets(st.sampled_from(sorted({"reason", *GIVEN})), min_size=len(GIVEN) - 3),
    st.booleans(),
    st.sampled_from([3, 6, 12]),
    st.integers(0, 2),
)
REFUSED = (NotAllowed, NotGiven, TooLate, AlreadyRecorded)


def replayed(kind: type[Act], events: list[Payload]) -> str:
    """The status that the events alone lead to, by the table."""
    status = FIRST[kind]
    for event in events:
        [row] = [row for row in TABLES[kind] if MAKES[kind, row.action] is type(event) and status in row.source][:1]
        if row.target == BEFORE:
            status = event.status  # type: ignore[attr-defined]
        elif row.target != STAYS:
            status = row.target
    return status


MAKES = {
    (kind, row.action): type(
        act(new(kind, min(row.source), **AUTHORS), row.action, PARTY[min(row.by)], all_given(kind, row), TODAY).event
    )
    for kind, row in ROWS
} | {(kind, row.action): None for kind, table in TABLES.items() for row in table if not row.source}


@given(st.sampled_from(list(TABLES)), st.lists(tries, max_size=15))
def test_whatever_anybody_tries_the_state_is_one_the_table_allows_and_the_events_say_it(
    kind: type[Act], tried: list[tuple[str, str, set[str], bool, int, int]]
) -> None:
    state, today = new(kind), TODAY
    path, events, followed_up = [state.status], [], []
    for action, who, names, reporting, months, days in tried:
        today += timedelta(days=days)
        told = {name: said_of(kind, action, name) for name in names} | {"months": months}
        told |= BY_COMMAND.get(action, {}) | ({"reported_by": "referrer"} if reporting else {})
        before = state
        try:
            decided = act(state, action, who, told, today)
        except REFUSED as refused:
            if isinstance(refused, NotAllowed) and not reporting:
                assert action not in open_to(state, who, today)
            if isinstance(refused, NotGiven):
                assert refused.missing and not set(" or ".join(refused.missing).split(" or ")) & names
            assert state == before
            continue
        state = decided.state
        assert state.version == before.version + 1
        assert (state.id, state.ref, state.parties()) == (before.id, before.ref, before.parties())
        path.append(state.status)
        events.append(decided.event)
        if action == "follow-up":
            followed_up.append(months)
    ways = {(source, row.target) for row in TABLES[kind] for source in row.source}
    for one, next_ in pairwise(path):
        assert {(one, next_), (one, BEFORE)} & ways or (one == next_ and (one, STAYS) in ways)
    assert state.version == len(path)
    assert replayed(kind, events) == state.status
    assert len(followed_up) == len(set(followed_up)), "each follow-up once"


@pytest.mark.parametrize("row", [row for row in lifecycle.REFERRAL if row.reported], ids=lambda row: row.action)
def test_the_referrer_may_record_an_answer_in_the_receivers_place_and_the_event_says_so(row: Transition) -> None:
    reported = {"reported_by": "referrer"} | all_given(Referral, row)
    for source in row.source:
        state = new(Referral, source)
        decided = act(state, row.action, "cpas-hotton", reported, TODAY)
        assert decided.event.reported_by == decided.state.facts["reported_by"] == "referrer"  # type: ignore[attr-defined]
        assert decided.state.status == row.target
        for other in ("le-trusquin", "mire", *Office):
            with pytest.raises(NotAllowed):
                act(state, row.action, other, reported, TODAY)
        if "referrer" not in row.by:
            with pytest.raises(NotAllowed):
                act(state, row.action, "cpas-hotton", all_given(Referral, row), TODAY)


def test_a_receiver_corrects_what_was_recorded_in_its_place() -> None:
    told = {"reason": "no_place", "declined_by": "provider", "reported_by": "referrer"}
    declined = act(new(Referral), "decline", "cpas-hotton", told, TODAY).state
    assert "reopen" in open_to(declined, "le-trusquin", TODAY)
    reopened = act(declined, "reopen", "le-trusquin", {"reason": "recorded_in_error"}, TODAY).state
    assert reopened.status == "sent"
    assert not {"decline_reason", "declined_by", "reported_by"} & reopened.facts.keys(), "what is taken back is gone"
    own = act(new(Referral), "decline", "le-trusquin", told | {"reported_by": None}, TODAY).state
    assert "reopen" not in open_to(own, "cpas-hotton", TODAY), "the receiver said it itself"


@pytest.mark.parametrize(
    ("path", "before"),
    [
        (["decline"], "sent"),
        (["receive", "decline"], "received"),
        (["waitlist", "decline"], "waitlisted"),
        (["accept", "interrupt"], "accepted"),
        (["accept", "start", "interrupt"], "started"),
        (["accept", "start", "complete"], "started"),
        (["accept", "start", "complete", "reopen", "interrupt"], "started"),
    ],
)
def test_reopened_it_stands_where_it_stood(path: list[str], before: str) -> None:
    state = new(Referral)
    for action in (*path, "reopen"):
        row = next(row for row in lifecycle.REFERRAL if row.action == action)
        decided = act(state, action, "le-trusquin", all_given(Referral, row), TODAY)
        state = decided.state
    assert state.status == decided.event.status == before


def test_its_author_takes_an_end_back_for_two_working_days_the_coordinator_after() -> None:
    friday = date(2026, 11, 27)
    declined = act(new(Referral), "decline", "le-trusquin", {"reason": "other", "declined_by": "person"}, friday).state
    why = {"reason": "situation_changed"}
    tuesday = date(2026, 12, 1)
    assert act(declined, "reopen", "le-trusquin", why, tuesday).state.status == "sent"
    wednesday = tuesday + timedelta(days=1)
    with pytest.raises(TooLate):
        act(declined, "reopen", "le-trusquin", why, wednesday)
    assert "reopen" not in open_to(declined, "le-trusquin", wednesday)
    assert act(declined, "reopen", Office.COORDINATOR, why, wednesday).state.status == "sent"


def test_a_resumed_training_rests_for_no_reason_any_more() -> None:
    started = act(new(Training), "start", "le-trusquin", {"started_on": "2026-11-20"}, TODAY).state
    resting = act(started, "suspend", "le-trusquin", {"reason": "health_pause"}, TODAY).state
    assert resting.facts["suspend_reason"] == "health_pause"
    assert act(resting, "resume", "le-trusquin", {}, TODAY).state.facts.keys() == resting.facts.keys() - {
        "suspend_reason"
    }


def test_a_follow_up_is_said_once_for_each_time() -> None:
    state = new(Placement, "ended")
    for months in (6, 3, 12):
        state = act(state, "follow-up", "cpas-hotton", {"months": months, "situation": "in_job"}, TODAY).state
        with pytest.raises(AlreadyRecorded):
            act(state, "follow-up", "cpas-hotton", {"months": months, "situation": "seeking"}, TODAY)
    assert state.facts["follow_ups"] == {"3": "in_job", "6": "in_job", "12": "in_job"}


def test_the_first_contact_is_spared_where_the_receiver_calls_the_referrer() -> None:
    with pytest.raises(NotGiven):
        act(new(Referral), "accept", "le-trusquin", {}, TODAY)
    calls = new(Referral, contact="receiver_calls_referrer")
    assert act(calls, "accept", "le-trusquin", {}, TODAY).state.status == "accepted"


def test_an_answers_reason_does_not_overwrite_the_reason_it_was_sent_for() -> None:
    declined = act(
        new(Referral), "decline", "le-trusquin", {"reason": "no_place", "declined_by": "provider"}, TODAY
    ).state
    assert (declined.facts["reason"], declined.facts["decline_reason"]) == ("training", "no_place")


def test_every_refusal_of_the_domain_has_an_answer() -> None:
    own = {NotAllowed, NotGiven, TooLate, AlreadyRecorded, ComesBack, ChainTooLong, Followed}
    assert own | {NoConsent, NoConvention} <= REFUSALS.keys()


def test_every_kind_of_training_has_its_moment() -> None:
    assert set(MOMENT_OF_KIND) == set(get_args(codes.TrainingKind))
    assert set(MOMENT_OF_KIND.values()) <= set(get_args(codes.Moment))
    assert not {"accueil", "experience"} & set(MOMENT_OF_KIND.values())
