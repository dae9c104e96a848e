"""The pages' texts as data: the same keys in four languages, one for each code and field that a page can show."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import pytest

from schemas import codes
from services.referrals.acts import bodies, lifecycle
from services.referrals.acts import http as acts
from services.referrals.pages import in_words, inputs
from services.referrals.pages.words import LANGUAGES, words

TABLES = {"referral": lifecycle.REFERRAL, "training": lifecycle.TRAINING, "placement": lifecycle.PLACEMENT}


def flat(texts: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in texts.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{at}{key}.")
        else:
            yield f"{at}{key}", value


def test_the_four_languages_are_those_of_the_network() -> None:
    assert set(LANGUAGES) == set(get_args(codes.Language))


@pytest.mark.parametrize("language", [each for each in LANGUAGES if each != "fr"])
def test_every_text_exists_in_each_language_with_the_same_placeholders(language: str) -> None:
    french, other = dict(flat(words("fr").texts)), dict(flat(words(language).texts))
    assert set(french) == set(other)
    for key, text in french.items():
        assert other[key], key
        if isinstance(text, str):
            places = [set(re.findall(r"\{(\w+)\}", each)) for each in (text, other[key])]
            assert places[0] == places[1], key


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_shown_on_pages_has_a_text(language: str) -> None:
    said = words(language).texts["codes"]
    for name in {*in_words.LISTS.values(), *in_words.PROFILE.values(), "Said"} - {"Status", "Nis"}:
        known = set(said[name]) | (set(said["Obstacle"]) if name == "ReferralReason" else set())
        assert known == {str(code) for code in get_args(getattr(codes, name))}, name


def test_every_status_of_the_life_cycles_has_a_text() -> None:
    statuses = {status for table in TABLES.values() for row in table for status in (*row.source, row.target)} - {
        lifecycle.STAYS,
        lifecycle.BEFORE,
    }
    assert statuses <= set(words("fr").texts["codes"]["Status"])


def test_every_field_of_an_act_has_a_text_or_is_not_shown() -> None:
    made = (bodies.ReferralBody, bodies.TrainingBody, bodies.PlacementBody)
    given = [form for nouns in acts.ACTIONS.values() for form in nouns.values()]
    shown = {name for form in (*made, *given) for name in form.model_fields} - {"person", "agreement", "happened_on"}
    shown |= in_words.DATES | in_words.PARTNERS
    assert shown <= set(words("fr").texts["fields"]) | in_words.NOT_SHOWN


@pytest.mark.parametrize("noun", TABLES)
def test_every_action_with_a_text_has_a_form_section(noun: str) -> None:
    offered = 0
    for row in TABLES[noun]:
        form = acts.ACTIONS[f"{noun}s"].get(row.action)
        if form and words("fr").action(noun, row.action):
            section = inputs.section(noun, row.action, form, row.must_give, words("fr"))
            asked = {each.name for each in section.inputs} if section else set()
            assert all(asked & set(names.split("|")) for names in row.must_give), row
            assert section and all(each.options for each in section.inputs if each.kind == "choice")
            offered += 1
    assert offered >= 2
