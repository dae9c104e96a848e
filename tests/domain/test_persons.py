"""What decides about a person's record: whether they are accompanied."""

from __future__ import annotations

import itertools

import pytest

from schemas.catalogue import TYPES
from services.referrals.domain.accompaniment import PERSON, Left, check_accompanied, decide
from services.referrals.domain.lifecycle import NotAllowed, NotGiven, Transition
from services.referrals.refusals import REFUSALS

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
