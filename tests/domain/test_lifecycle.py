"""The life cycles' tables enumerated, and the rules beside them: agreement, working days, communes."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import codes
from schemas.catalogue import TYPES
from services.referrals.domain import acts, lifecycle
from services.referrals.domain.acts import MOMENT_OF_KIND, Act, Placement, Referral, Training, act, open_to
from services.referrals.domain.agreement import (
    PROFILE,
    Consent,
    Convention,
    NoConsent,
    NoConvention,
    agreed,
    covering,
    disclosed,
)
from services.referrals.domain.communes import nis
from services.referrals.domain.lifecycle import NotAllowed, NotGiven, Table, Transition
from services.referrals.domain.working_days import after_working_days, is_working_day
from services.referrals.refusals import REFUSALS

TABLES: dict[type[Act], Table] = {
    Referral: lifecycle.REFERRAL,
    Training: lifecycle.TRAINING,
    Placement: lifecycle.PLACEMENT,
}
FIRST = {Referral: "sent", Training: "enrolled", Placement: "proposed"}
LATER = {"waitlisted"}
"""Statuses that a row leaves and none enters yet."""
PARTY = {
    "referrer": "cpas-hotton",
    "recipient": "le-trusquin",
    "home": "cpas-hotton",
    "operator": "le-trusquin",
    "proposer": "cpas-hotton",
    "employer": "home-hotton",
    "hub": lifecycle.HUB,
}
GIVEN = {
    "first_contact_on": "2026-12-03",
    "reason": "no_place",
    "declined_by": "provider",
    "started_on": "2026-12-07",
    "outcome": "reached",
    "hours_done": 240,
    "ended_on": "2027-08-31",
}
GIVEN_OTHERWISE: dict[type[Act], dict[str, Any]] = {
    Referral: {},
    Training: {"outcome": "acquired"},
    Placement: {"reason": "end_of_contract"},
}


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


def all_given(kind: type[Act], row: Transition) -> dict[str, Any]:
    """What a row asks for."""
    return {name: (GIVEN | GIVEN_OTHERWISE[kind])[name] for name in row.must_give}


ROWS = [(kind, row) for kind, table in TABLES.items() for row in table]


@pytest.mark.parametrize(("kind", "row"), ROWS, ids=[f"{kind.__name__}-{row.action}" for kind, row in ROWS])
def test_every_row_makes_an_event_of_the_catalogue(kind: type[Act], row: Transition) -> None:
    for source in row.source:
        for role in row.by:
            state = new(kind, source)
            assert row.action in open_to(state, PARTY[role])
            decided = act(state, row.action, PARTY[role], all_given(kind, row))
            assert (decided.state.status, decided.state.version) == (row.target, 2)
            assert TYPES[decided.event.TYPE] is type(decided.event)
            assert isinstance(decided.sealed, decided.event.SEALED or type(None))
            assert decided.event.model_dump()["reference"] == state.reference
            assert (state.status, state.version) == (source, 1), "what was is not changed"


@pytest.mark.parametrize(
    ("kind", "make"), [(Referral, acts.sent), (Training, acts.enrolled), (Placement, acts.proposed)]
)
def test_every_beginning_makes_an_event_of_the_catalogue(kind: type[Act], make: Any) -> None:
    decided = make(new(kind))
    assert TYPES[decided.event.TYPE] is type(decided.event)
    assert isinstance(decided.sealed, decided.event.SEALED)


@pytest.mark.parametrize("kind", TABLES)
def test_every_row_can_be_reached_and_every_action_has_one_meaning(kind: type[Act]) -> None:
    reached = {FIRST[kind]}
    for _ in TABLES[kind]:
        reached |= {row.target for row in TABLES[kind] if row.source & reached}
    assert all(row.source & reached for row in TABLES[kind])
    assert {status for row in TABLES[kind] for status in row.source} - reached <= LATER
    seen = [(row.action, source, role) for row in TABLES[kind] for source in row.source for role in row.by]
    assert len(seen) == len(set(seen)), "no two rows for one act"
    actors = new(kind).parties().keys() | {lifecycle.HUB}
    assert all(row.by <= actors for row in TABLES[kind]), "only parties act, and the hub"


def test_every_act_of_the_catalogue_has_a_row_that_says_it() -> None:
    said = {
        act(new(kind, next(iter(row.source))), row.action, PARTY[next(iter(row.by))], all_given(kind, row)).event.TYPE
        for kind, row in ROWS
    }
    said |= {acts.sent(new(Referral)).event.TYPE, acts.enrolled(new(Training)).event.TYPE}
    said |= {acts.proposed(new(Placement)).event.TYPE}
    assert said == {type_ for type_ in TYPES if type_.split(".")[1] in ("referral", "training", "placement")}


actions = st.tuples(
    st.sampled_from(sorted({row.action for _, row in ROWS} | {"void", ""})),
    st.sampled_from(["cpas-hotton", "le-trusquin", "home-hotton", "forem-marche", ""]),
    st.sets(st.sampled_from(sorted(GIVEN))),
)


@given(st.sampled_from(list(TABLES)), st.lists(actions, max_size=12))
def test_whatever_anybody_tries_the_status_is_one_the_table_leads_to(
    kind: type[Act], tried: list[tuple[str, str, set[str]]]
) -> None:
    state = new(kind)
    path = [state.status]
    for action, who, names in tried:
        given_now = {name: (GIVEN | GIVEN_OTHERWISE[kind])[name] for name in names}
        try:
            state = act(state, action, who, given_now).state
        except NotAllowed as refused:
            assert action not in open_to(state, who)
            assert refused.open == open_to(state, who)
            continue
        except NotGiven as refused:
            assert action in open_to(state, who)
            assert refused.missing and not set(refused.missing) & names
            continue
        path.append(state.status)
    steps = {(source, row.target) for row in TABLES[kind] for source in row.source}
    assert all(step in steps for step in pairwise(path))
    assert state.version == len(path)


@pytest.mark.parametrize(("kind", "row"), ROWS, ids=[f"{kind.__name__}-{row.action}" for kind, row in ROWS])
def test_what_must_be_given_is_asked_for_by_name(kind: type[Act], row: Transition) -> None:
    state, who = new(kind, min(row.source)), PARTY[min(row.by)]
    for left_out in row.must_give:
        rest = {name: value for name, value in all_given(kind, row).items() if name != left_out}
        for said in (rest, rest | {left_out: None}):
            with pytest.raises(NotGiven) as refused:
                act(state, row.action, who, said)
            assert refused.value.missing == [left_out]


def test_the_first_contact_is_spared_where_the_receiver_calls_the_referrer() -> None:
    with pytest.raises(NotGiven):
        act(new(Referral), "accept", "le-trusquin", {})
    calls = new(Referral, contact="receiver_calls_referrer")
    assert act(calls, "accept", "le-trusquin", {}).state.status == "accepted"


def test_an_answers_reason_does_not_overwrite_the_reason_it_was_sent_for() -> None:
    declined = act(new(Referral), "decline", "le-trusquin", GIVEN).state
    assert (declined.facts["reason"], declined.facts["decline_reason"]) == ("training", "no_place")


def test_every_refusal_of_the_domain_has_an_answer() -> None:
    assert {NotAllowed, NotGiven, NoConsent, NoConvention} <= REFUSALS.keys()


def test_every_kind_of_training_has_its_moment() -> None:
    assert set(MOMENT_OF_KIND) == set(get_args(codes.TrainingKind))
    assert set(MOMENT_OF_KIND.values()) <= set(get_args(codes.Moment))
    assert not {"accueil", "experience"} & set(MOMENT_OF_KIND.values())


TODAY = date(2026, 11, 24)
CONVENTION = Convention(
    convention_id=uuid.uuid4(),
    parties=("cpas-hotton", "le-trusquin", "home-hotton"),
    status="signed",
    valid_from=date(2026, 1, 1),
    valid_to=date(2026, 12, 31),
    scope=(("cpas-hotton", "le-trusquin", ("projet", "formation")),),
    shared_attributes=frozenset({"age_band", "obstacles"}),
    reply_within_working_days=5,
)


@pytest.mark.parametrize(
    ("convention", "covered"),
    [
        (CONVENTION, True),
        (replace(CONVENTION, valid_from=TODAY, valid_to=TODAY), True),
        (replace(CONVENTION, valid_to=None), True),
        (replace(CONVENTION, valid_from=TODAY + timedelta(days=1)), False),
        (replace(CONVENTION, valid_to=TODAY - timedelta(days=1)), False),
        *((replace(CONVENTION, status=status), False) for status in ("draft", "suspended", "expired", "terminated")),
        (replace(CONVENTION, scope=()), False),
        (replace(CONVENTION, scope=(("cpas-hotton", "le-trusquin", ("projet",)),)), False),
        (replace(CONVENTION, scope=(("le-trusquin", "cpas-hotton", ("formation",)),)), False),
    ],
)
def test_a_convention_covers_its_scope_in_its_time(convention: Convention, covered: bool) -> None:
    assert convention.covers("cpas-hotton", "le-trusquin", "formation", TODAY) is covered
    if covered:
        assert covering([convention], "cpas-hotton", "le-trusquin", "formation", TODAY) is convention
    else:
        with pytest.raises(NoConvention):
            covering([convention], "cpas-hotton", "le-trusquin", "formation", TODAY)


def test_the_first_convention_that_covers_is_taken() -> None:
    over = replace(CONVENTION, valid_to=date(2026, 6, 30))
    assert covering([over, CONVENTION], "cpas-hotton", "le-trusquin", "projet", TODAY) is CONVENTION
    with pytest.raises(NoConvention):
        covering([], "cpas-hotton", "le-trusquin", "projet", TODAY)


def consent(*partners: str, **more: Any) -> Consent:
    """An agreement to be referred to these partners."""
    said = {"convention_id": None, "purposes": frozenset({"referral"}), "attributes": frozenset({"age_band"})}
    return Consent(frozenset(partners), **({"expires_on": None} | said | more))


@pytest.mark.parametrize(
    "given_consent",
    [
        consent(),
        consent("forem-marche"),
        consent("le-trusquin", purposes=frozenset({"employer", "observation"})),
        consent("le-trusquin", expires_on=TODAY - timedelta(days=1)),
        consent(convention_id=uuid.uuid4()),
    ],
)
def test_an_agreement_is_for_a_partner_a_purpose_and_a_time(given_consent: Consent) -> None:
    with pytest.raises(NoConsent):
        agreed([given_consent], [CONVENTION], "le-trusquin", "referral", TODAY)


def test_an_agreement_holds_on_its_last_day_and_through_a_convention_in_force() -> None:
    last = consent("le-trusquin", expires_on=TODAY)
    assert agreed([last], [], "le-trusquin", "referral", TODAY) == {"age_band"}
    through = consent(convention_id=CONVENTION.convention_id)
    assert agreed([through], [CONVENTION], "le-trusquin", "referral", TODAY) == {"age_band"}
    with pytest.raises(NoConsent):
        agreed([through], [replace(CONVENTION, status="terminated")], "le-trusquin", "referral", TODAY)
    with pytest.raises(NoConsent):
        agreed([through], [CONVENTION], "forem-marche", "referral", TODAY)
    with pytest.raises(NoConsent):
        agreed([], [CONVENTION], "le-trusquin", "referral", TODAY)


def test_agreements_add_up_and_only_those_that_hold() -> None:
    both = [
        consent("le-trusquin"),
        consent("le-trusquin", attributes=frozenset({"obstacles"})),
        consent("le-trusquin", attributes=frozenset({"status"}), expires_on=TODAY - timedelta(days=1)),
        consent("forem-marche", attributes=frozenset({"household"})),
    ]
    assert agreed(both, [], "le-trusquin", "referral", TODAY) == {"age_band", "obstacles"}


attributes = st.frozensets(st.sampled_from(get_args(codes.Attribute)))
PERSON = {name: f"a {name}" for name in PROFILE}


@given(attributes, attributes, st.sampled_from(get_args(codes.SecrecyClass)))
def test_what_is_disclosed_is_in_the_convention_and_in_the_agreement(
    shared: frozenset[str], agreed_to: frozenset[str], secrecy: str
) -> None:
    shown = disclosed(PERSON, shared, agreed_to, secrecy)
    assert set(shown) == (set() if secrecy == "none" else shared & agreed_to & set(PROFILE))
    assert all(PERSON[name] == value for name, value in shown.items())


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        (date(2026, 11, 24), 0, date(2026, 11, 24)),
        (date(2026, 11, 24), 5, date(2026, 12, 1)),
        (date(2026, 4, 3), 1, date(2026, 4, 7)),  # over Easter Monday, 6 April
        (date(2026, 4, 4), 1, date(2026, 4, 7)),  # from a Saturday
        (date(2026, 4, 30), 1, date(2026, 5, 4)),  # 1 May is a Friday
        (date(2026, 5, 13), 1, date(2026, 5, 15)),  # Ascension Day
        (date(2026, 5, 22), 1, date(2026, 5, 26)),  # Whit Monday
        (date(2026, 7, 20), 1, date(2026, 7, 22)),  # 21 July is a Tuesday
        (date(2026, 12, 24), 1, date(2026, 12, 28)),  # Christmas is a Friday
        (date(2026, 12, 31), 1, date(2027, 1, 4)),  # into the next year
        (date(2026, 11, 10), 1, date(2026, 11, 12)),  # 11 November
    ],
)
def test_deadlines_pass_over_weekends_and_belgian_holidays(start: date, days: int, end: date) -> None:
    assert after_working_days(start, days) == end


@given(st.dates(date(2020, 1, 1), date(2035, 1, 1)), st.integers(1, 40))
def test_a_deadline_is_a_working_day_with_as_many_between(start: date, days: int) -> None:
    end = after_working_days(start, days)
    assert is_working_day(end)
    passed = [start + timedelta(days=n) for n in range(1, (end - start).days + 1)]
    assert sum(map(is_working_day, passed)) == days


@pytest.mark.parametrize(
    ("code", "commune"),
    [
        *((code, "83031") for code in ("6980", "6982", "6983", "6984", "6986")),
        *(("6940", "83012"), ("6941", "83012"), ("6997", "83013"), ("6990", "83028"), ("6987", "83044")),
        *(("6900", "83034"), ("5377", "91120"), ("83028", "83028"), ("21004", "21004")),
    ],
)
def test_a_postal_code_is_taken_for_its_commune(code: str, commune: str) -> None:
    assert nis(code) == commune


@pytest.mark.parametrize("code", ["5370", "1000", "6981", "6985"])
def test_a_postal_code_elsewhere_is_refused_not_guessed(code: str) -> None:
    with pytest.raises(ValueError, match="NIS"):
        nis(code)
