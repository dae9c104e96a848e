"""What decides about a person's record: whether they are accompanied."""

from __future__ import annotations

import itertools
import uuid
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from schemas.catalogue import TYPES
from services.referrals.acts.lifecycle import NotAllowed, NotGiven, Transition
from services.referrals.agreements.rules import Consent, Convention, Holder, Receiver, disclosed_now, uncovered
from services.referrals.erasure.rules import KEPT, due, kept_until
from services.referrals.persons.rules import PERSON, Left, check_accompanied, decide
from services.referrals.refusals import REFUSALS

NOUNS = ("referral", "training", "placement")
STATUSES = ("active", "paused", "left")


@pytest.mark.parametrize("row", PERSON, ids=[row.action for row in PERSON])
def test_every_row_makes_an_event_of_the_catalogue(row: Transition) -> None:
    for status in row.source:
        target, event, sealed = decide(row.action, status, "cpas-hotton", {"reason": "found_work"})
        assert target == row.target
        assert TYPES[event.TYPE] is type(event)
        assert isinstance(sealed, event.SEALED or type(None))
        assert event.model_dump() == {"home": "cpas-hotton"}, "why is sealed"


def test_what_the_table_does_not_have_is_refused() -> None:
    allowed = {(row.action, status) for row in PERSON for status in row.source}
    for action, status in itertools.product(("pause", "resume", "leave"), STATUSES):
        if (action, status) not in allowed:
            with pytest.raises(NotAllowed) as refused:
                decide(action, status, "cpas-hotton", {"reason": "moved"})
            assert set(refused.value.open) == {act for act, source in allowed if source == status}


def test_who_leaves_says_why() -> None:
    with pytest.raises(NotGiven):
        decide("leave", "active", "cpas-hotton", {"reason": None})


def test_nothing_new_begins_for_a_person_who_left() -> None:
    check_accompanied("active")
    check_accompanied("paused")
    with pytest.raises(Left):
        check_accompanied("left")
    assert Left in REFUSALS


TODAY = date(2026, 11, 24)
CONVENTION = Convention(
    convention_id=uuid.uuid4(),
    parties=("cpas-hotton", "le-trusquin", "home-hotton"),
    status="signed",
    valid_from=date(2026, 1, 1),
    valid_to=None,
    scope=(("cpas-hotton", "le-trusquin", ("formation",)),),
    shared_attributes=frozenset({"age_band", "sex"}),
    reply_within_working_days=5,
)
PROFILE = {"age_band": "25-29", "sex": "F", "status": "ris", "household": None}
RECEIVER = Receiver("le-trusquin", "cpas-hotton", "formation", "discretion", employer=False)


def consent(*partners: str, **more: Any) -> Consent:
    said = {"convention_id": None, "purposes": frozenset({"referral"}), "attributes": frozenset({"age_band"})}
    return Consent(frozenset(partners), **({"expires_on": None} | said | more))


def test_each_band_is_shown_or_it_is_said_what_keeps_it_back() -> None:
    found = disclosed_now(PROFILE, RECEIVER, [CONVENTION], [consent("le-trusquin")], TODAY)
    assert found.shown == {"age_band": "25-29"}
    assert found.withheld == {"sex": "consent", "status": "convention"}


@pytest.mark.parametrize(
    ("receiver", "conventions", "consents", "why"),
    [
        (RECEIVER, [CONVENTION], [], "consent"),
        (RECEIVER, [CONVENTION], [consent("le-trusquin", expires_on=date(2026, 11, 23))], "consent"),
        (RECEIVER, [], [consent("le-trusquin")], "convention"),
        (replace(RECEIVER, moment="projet"), [CONVENTION], [consent("le-trusquin")], "convention"),
        (replace(RECEIVER, secrecy_class="none"), [CONVENTION], [consent("le-trusquin")], "secrecy"),
        (replace(RECEIVER, employer=True), [CONVENTION], [consent("le-trusquin")], "consent"),
    ],
)
def test_what_is_missing_on_the_day_shows_nothing(
    receiver: Receiver, conventions: list[Convention], consents: list[Consent], why: str
) -> None:
    found = disclosed_now({"age_band": "25-29"}, receiver, conventions, consents, TODAY)
    assert (found.shown, found.withheld) == ({}, {"age_band": why})


TRUSQUIN = Holder("le-trusquin", "cpas-hotton", ("R-7K4M-2QX",), UUID(int=1), employer=False)
EMPLOYER = Holder("home-hotton", "cpas-hotton", ("P-9D3H-6TV",), UUID(int=2), employer=True)


def test_who_is_covered_by_nothing_else_loses_what_an_agreement_let_through() -> None:
    ended = consent("le-trusquin", "home-hotton")
    assert uncovered([TRUSQUIN, EMPLOYER], ended, frozenset(), [], [], TODAY) == [TRUSQUIN], "not for employers"
    other = consent(convention_id=CONVENTION.convention_id)
    assert uncovered([TRUSQUIN], ended, frozenset(), [other], [CONVENTION], TODAY) == []
    assert uncovered([TRUSQUIN], other, frozenset(CONVENTION.parties), [], [CONVENTION], TODAY) == [TRUSQUIN]
    both = consent("home-hotton", purposes=frozenset({"referral", "employer"}))
    assert uncovered([EMPLOYER], both, frozenset(), [], [], TODAY) == [EMPLOYER]
    assert uncovered([TRUSQUIN], consent("forem-marche"), frozenset(), [], [], TODAY) == [], "it was never its own"


def test_what_stays_of_an_act_is_what_stood_in_clear_and_joins_nothing() -> None:
    in_clear = {name for type_, kind in TYPES.items() if type_.split(".")[1] in NOUNS for name in kind.model_fields}
    sealed = {
        name
        for type_, kind in TYPES.items()
        if type_.split(".")[1] in NOUNS and kind.SEALED
        for name in kind.SEALED.model_fields
    }
    assert set(KEPT) - {"sent_at"} <= in_clear
    assert not set(KEPT) & (sealed | {"follows", "alternative_to", "answered_by_id", "parent"})


@pytest.mark.parametrize(
    ("left_on", "months", "last"),
    [
        (date(2026, 11, 24), 24, date(2028, 11, 24)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2026, 12, 31), 2, date(2027, 2, 28)),
        (date(2026, 12, 1), 1, date(2027, 1, 1)),
    ],
)
def test_a_record_is_kept_through_its_last_day(left_on: date, months: int, last: date) -> None:
    assert kept_until(left_on, months) == last
    assert not due(left_on, months, last)
    assert due(left_on, months, last + timedelta(days=1))
