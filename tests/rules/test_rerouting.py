"""Redirects make a chain that is short and never comes back; alternatives lapse when one of them starts."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.referrals.acts.rules import Referral
from services.referrals.rerouting.rules import (
    MOST_LINKS,
    ChainTooLong,
    ComesBack,
    Followed,
    alternatives,
    been_to,
    chained,
    check_nothing_followed,
    lapsing,
)

PERSON = uuid.uuid4()


def referral(number: int, to: str = "le-trusquin", status: str = "sent", **facts: Any) -> Referral:
    """A person's referral number so many."""
    return Referral(
        id=uuid.UUID(int=number),
        reference="R-7K4M-2QX",
        ref=PERSON,
        home="cpas-hotton",
        status=status,
        version=1,
        referrer="cpas-hotton",
        recipient=to,
        moment="formation",
        facts={name: str(uuid.UUID(int=of)) for name, of in facts.items()},
    )


def numbers(found: list[Referral]) -> list[int]:
    """Which they are."""
    return [each.id.int for each in found]


@given(st.lists(st.sampled_from([f"partner-{n}" for n in range(9)]), max_size=12))
def test_a_chain_has_at_most_five_links_and_never_comes_back(wished: list[str]) -> None:
    link = referral(1, to="partner-0")
    been = ["partner-0"]
    for number, recipient in enumerate(wished, 2):
        try:
            facts = chained(link, recipient)
        except ComesBack:
            assert recipient in been
            continue
        except ChainTooLong:
            assert len(been) == 1 + MOST_LINKS
            continue
        assert facts["parent"] == str(link.id)
        link = replace(referral(number, to=recipient), facts=facts)
        been.append(recipient)
        assert been_to(link) == been
    assert len(been) == len(set(been)) <= 1 + MOST_LINKS


def test_alternatives_are_joined_through_one_another_and_through_what_was_redirected() -> None:
    first, second, third = referral(1), referral(2, alternative_to=1), referral(3, alternative_to=2)
    instead = referral(4, parent=1)
    alone = referral(5)
    known = [first, second, third, instead, alone, referral(6, follows=1)]
    for one in (1, 2, 3, 4):
        assert set(numbers(alternatives(uuid.UUID(int=one), known))) == {1, 2, 3, 4} - {one}
    assert alternatives(alone.id, known) == []


def test_only_what_is_open_lapses_in_the_order_given() -> None:
    statuses = [
        "accepted",
        "waitlisted",
        "received",
        "sent",
        "started",
        "completed",
        "declined",
        "redirected",
        "voided",
    ]
    known = [referral(1), *(referral(n, status=each, alternative_to=1) for n, each in enumerate(statuses, 2))]
    assert numbers(lapsing(uuid.UUID(int=1), reversed(known))) == [5, 4, 3, 2]


@pytest.mark.parametrize(
    ("others", "followed"),
    [
        ([], False),
        ([referral(2, follows=1)], True),
        ([referral(2, status="voided", follows=1)], False),
        ([referral(2, alternative_to=1)], False),
        ([referral(2, status="started", alternative_to=1)], True),
        ([referral(2, status="completed", follows=9)], False),
    ],
)
def test_an_end_is_taken_back_only_if_nothing_followed(others: list[Referral], followed: bool) -> None:
    ended = referral(1, status="declined")
    if followed:
        with pytest.raises(Followed):
            check_nothing_followed(ended, [ended, *others])
    else:
        check_nothing_followed(ended, [ended, *others])
