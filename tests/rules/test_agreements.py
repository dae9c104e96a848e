"""What conventions and agreements let through: to whom, for what, until when, and which bands of a profile."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import codes
from services.referrals.agreements.rules import (
    PROFILE,
    Consent,
    Convention,
    NoConsent,
    NoConvention,
    agreed,
    covering,
    disclosed,
)

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
    found = disclosed(PERSON, shared, agreed_to, secrecy)
    shown = found.shown
    assert shown.keys() | found.withheld.keys() == set(PROFILE), "each band is shown, or it is said why not"
    assert not shown.keys() & found.withheld.keys()
    assert set(shown) == (set() if secrecy == "none" else shared & agreed_to & set(PROFILE))
    assert all(PERSON[name] == value for name, value in shown.items())
