"""Every code has a label, every reason a parent, and what a reason reveals is on a list."""

from __future__ import annotations

import tomllib
from typing import get_args

from schemas import codes
from schemas.reasons import LISTS, OF_THE_OFFER, PARENTS, UNMET_NEED, Group
from services.referrals.codes.http import _LABELS, labelled


def test_every_code_of_every_list_has_a_french_label_and_no_label_is_left_over() -> None:
    labels = tomllib.loads((_LABELS / "fr.toml").read_text("utf-8"))
    wanted = {name: set(each) for name, each in LISTS.items()} | {"reason_group": set(get_args(Group))}
    assert {name: set(each) for name, each in labels.items()} == wanted
    assert all(label and label == label.strip() for each in labels.values() for label in each.values())
    for name, each in labels.items():
        assert len(set(each.values())) == len(each), f"two codes of {name} read the same"


def test_every_reason_but_other_has_a_parent() -> None:
    for name, parents in PARENTS.items():
        assert set(LISTS[name]) - {"other"} == set(parents), name
        assert set(parents.values()) <= set(get_args(Group))


def test_unmet_needs_are_of_the_offers_type_or_of_an_obstacle() -> None:
    """Domain.md, section 4."""
    assert {reason for reason, of in UNMET_NEED.items() if of == OF_THE_OFFER} == {"no_place", "no_such_service"}
    obstacles = {reason: of for reason, of in UNMET_NEED.items() if of != OF_THE_OFFER}
    assert obstacles.keys() == {"prerequisite", "language_level", "distance_mobility", "schedule", "childcare"}
    assert set(obstacles.values()) <= set(get_args(codes.Obstacle))


def test_the_lists_read_as_forms_show_them() -> None:
    lists = labelled("fr")
    declines = {each["code"]: each for each in lists["decline_reason"]}
    assert list(declines) == list(get_args(codes.DeclineReason))
    assert declines["distance_mobility"] == {
        "code": "distance_mobility",
        "label": "Distance ou mobilité",
        "parent": "obstacle",
        "unmet_need": {"of": "obstacle", "obstacle": "mobilite"},
    }
    assert declines["no_place"]["unmet_need"] == {"of": "offer_type"}
    assert declines["other"] == {"code": "other", "label": "Autre", "parent": None}
