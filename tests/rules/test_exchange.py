"""Who may send a person to whom is one rule: both active, both on trial or neither, a convention in force."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import date

import pytest

from services.referrals.agreements.exchange import (
    Exchange,
    NotActive,
    Party,
    TrialOnly,
    check_exchange,
    is_allowed,
    may_send,
)
from services.referrals.agreements.rules import Convention, NoConvention

DAY = date(2026, 11, 23)
HOTTON = Party("cpas-hotton", "cpas", "art_458", active=True, trial=False)
TRUSQUIN = Party("le-trusquin", "training_centre", "discretion", active=True, trial=False)
CONVENTION = Convention(
    convention_id=uuid.uuid4(),
    parties=("cpas-hotton", "le-trusquin"),
    status="signed",
    valid_from=date(2026, 1, 1),
    valid_to=None,
    scope=(("cpas-hotton", "le-trusquin", ("formation",)),),
    shared_attributes=frozenset(),
    reply_within_working_days=5,
)
BOTH = Exchange(HOTTON, TRUSQUIN, (CONVENTION,), DAY)


def test_two_active_partners_exchange_under_a_convention_in_force() -> None:
    assert may_send(BOTH, "formation") is CONVENTION
    assert is_allowed(BOTH, "formation")


@pytest.mark.parametrize(
    ("exchange", "moment", "refusal"),
    [
        (replace(BOTH, sender=replace(HOTTON, active=False)), "formation", NotActive),
        (replace(BOTH, recipient=replace(TRUSQUIN, active=False)), "formation", NotActive),
        (replace(BOTH, recipient=replace(TRUSQUIN, trial=True)), "formation", TrialOnly),
        (replace(BOTH, sender=replace(HOTTON, trial=True)), "formation", TrialOnly),
        (BOTH, "projet", NoConvention),
        (replace(BOTH, sender=TRUSQUIN, recipient=HOTTON), "formation", NoConvention),
        (replace(BOTH, conventions=()), "formation", NoConvention),
        (replace(BOTH, on=date(2025, 12, 31)), "formation", NoConvention),
    ],
)
def test_anything_less_is_refused_by_name(exchange: Exchange, moment: str, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        may_send(exchange, moment)
    assert not is_allowed(exchange, moment)


def test_partners_of_a_placement_need_no_convention() -> None:
    check_exchange(replace(BOTH, conventions=()))
    with pytest.raises(TrialOnly):
        check_exchange(replace(BOTH, recipient=replace(TRUSQUIN, trial=True)))
