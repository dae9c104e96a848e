"""A table that comes back has the headings that an import knows, and nothing in it that a spreadsheet runs."""

from __future__ import annotations

import csv
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.referrals.exports import sheet as table
from services.referrals.exports.http import _labels as labels_written
from services.referrals.imports import sheet
from services.referrals.imports.sheet import ANSWERS, HEADINGS, LIST_OF, plain, shielded, unshielded
from services.referrals.imports.vocabulary import Vocabulary, label
from services.referrals.pages.words import LANGUAGES

CHANGED = date(2026, 11, 24)
BODY: dict[str, Any] = {
    "ref": "R-7K4M-2QX",
    "status": "declined",
    "beneficiary": "3f8a1c52-6d0e-4b7a-9c21-5e4d7f60a913",
    "referrer": "cpas-hotton",
    "recipient": "le-trusquin",
    "moment": "formation",
    "reason": "training",
    "goal": "qualify",
    "chosen_by": "together",
    "contact": "person_comes",
    "disclosed": {
        "age_band": "25-29",
        "sex": "F",
        "commune_nis": "83028",
        "education": "lower_secondary",
        "status": "ris",
        "household": "alone",
        "obstacles": ["mobilite", "garde_enfants"],
    },
    "decline_reason": "no_place",
    "declined_by": "provider",
}


def written(*bodies: dict[str, Any], local_ref: str | None = "H-114") -> sheet.Sheet:
    """Bodies as a table, read again as an import reads it."""
    sent_on = date(2026, 11, 20)
    rows = [table.fields(body, local_ref, sent_on if "contact" in body else None, CHANGED) for body in bodies]
    return sheet.read((table.heading() + table.text(rows, labels_written())).encode(), {})


def cells(*bodies: dict[str, Any], local_ref: str | None = "H-114") -> dict[str, str]:
    """The first row by heading, as it stands in the file."""
    sent_on = date(2026, 11, 20)
    rows = [table.fields(body, local_ref, sent_on if "contact" in body else None, CHANGED) for body in bodies]
    heading, line = (table.heading() + table.text(rows, labels_written())).lstrip("\ufeff").splitlines()
    return dict(zip(heading.split(";"), next(csv.reader([line], delimiter=";")), strict=True))


WORDS = Vocabulary({"le-trusquin": "EFT Le Trusquin"}, {})


def test_every_heading_is_one_that_an_import_knows() -> None:
    assert set(table.TITLES) <= set(HEADINGS)
    assert set(sheet.REQUIRED) <= set(table.TITLES)
    for field, title in table.TITLES.items():
        assert plain(title) in {plain(field), *HEADINGS[field]}
    assert set(written(BODY).headings) == set(table.TITLES), "what it has more is passed over"
    assert len({plain(title) for title in table.COLUMNS.values()}) == len(table.COLUMNS)
    assert not {plain(title) for title in ANSWERS.values()} & {word for known in HEADINGS.values() for word in known}


def test_a_row_reads_back_as_it_was_sent_and_is_known_to_be_done() -> None:
    [row] = written(BODY).rows
    assert row.texts["ref"] == "R-7K4M-2QX"
    asked = {name: BODY[name] for name in ("recipient", "moment", "reason", "goal", "chosen_by", "contact")}
    person = {"local_ref": "H-114", "profile": BODY["disclosed"]}
    assert WORDS.values(row) == (asked | {"happened_on": "2026-11-20", "person": person}, [])
    by_heading = cells(BODY)
    assert by_heading["État du relais"] == "Refusé"
    assert by_heading["Statut"] != by_heading["État du relais"], "the person's and the referral's are two"
    assert by_heading["Modifié le"] == "2026-11-24"


def test_what_the_reader_may_not_see_is_an_empty_cell() -> None:
    left = {"referral_id": "x", "ref": "R-7K4M-2QX", "status": "redirected", "version": 3, "actions": []}
    filled = {heading for heading, cell in cells(left, local_ref=None).items() if cell}
    assert filled == {"Relais", "État du relais", "Modifié le"}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("field", LIST_OF)
def test_every_code_of_every_list_reads_back(field: str, language: str) -> None:
    for code in labels_written()[LIST_OF[field]]:
        for text in (code, label(field, code, language), label(field, code, language).upper()):
            row = sheet.Row(2, {field: text})
            values, faults = WORDS.values(row)
            assert (faults, str(code) in str(values)) == ([], True), text


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=20).map(str.strip))
def test_no_cell_is_a_formula_and_each_reads_back(text: str) -> None:
    cell = shielded(text)
    assert not cell.startswith(("=", "+", "-", "@"))
    if not text.startswith("'"):
        assert unshielded(cell) == text


@pytest.mark.parametrize("dangerous", ['=HYPERLINK("http://x")', "+32", "-1", "@SUM(A1)", "＝1"])
def test_a_dossier_number_that_looks_like_a_formula_is_not_run_and_stays_itself(dangerous: str) -> None:
    assert cells(BODY, local_ref=dangerous)["Dossier"] == f"'{dangerous}"
    [row] = written(BODY, local_ref=dangerous).rows
    assert row.texts["local_ref"] == dangerous
