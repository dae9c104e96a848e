"""Every code has a label, every reason a parent, and the unmet need that a reason reveals is listed."""

from __future__ import annotations

import tomllib
from typing import get_args

from schemas import codes
from schemas.reasons import LISTS, OF_THE_OFFER, PARENTS, UNMET_NEED, Group
from services.referrals.codes.http import _LABELS, labelled


def test_every_code_has_a_french_label_and_every_label_a_code() -> None:
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


def test_an_unmet_need_refers_to_the_offer_type_or_an_obstacle() -> None:
    """Domain.md, section 4."""
    assert {reason for reason, of in UNMET_NEED.items() if of == OF_THE_OFFER} == {"no_place", "no_such_service"}
    obstacles = {reason: of for reason, of in UNMET_NEED.items() if of != OF_THE_OFFER}
    assert obstacles.keys() == {"prerequisite", "language_level", "distance_mobility", "schedule", "childcare"}
    assert set(obstacles.values()) <= set(get_args(codes.Obstacle))


def test_labelled_lists_have_the_form_that_pages_use() -> None:
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
