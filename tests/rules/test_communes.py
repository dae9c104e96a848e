"""A postal code is taken for its commune, or refused: never guessed."""

from __future__ import annotations

import pytest

from jalons.web import asked
from schemas.communes import communes
from services.referrals.directory.communes import COMMUNES, nis


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


@pytest.mark.parametrize(
    ("old", "now"), [("82003", "82039"), ("82005", "82039"), ("11007", "11002"), ("12030", "12041"), ("54007", "57096")]
)
def test_a_merged_commune_is_the_one_it_is_part_of_and_the_answer_notes_it(old: str, now: str) -> None:
    begun = asked.begin("")
    assert nis(old) == now
    assert [(each["given"], each["stored"]) for each in begun.notes] == [(old, now)]
    assert nis(now) == now
    assert len(begun.notes) == 1


@pytest.mark.parametrize("code", ["83000", "00000", "83001", "99999", "80000", "01000"])
def test_a_code_that_is_no_communes_is_refused(code: str) -> None:
    with pytest.raises(ValueError, match="no commune"):
        nis(code)


def test_the_list_is_belgiums_of_2025() -> None:
    today = {code for code, commune in communes().items() if not commune.now}
    assert len(today) == 565
    assert sum(code[0] in "5689" or code.startswith("25") for code in today) == 261, "Wallonia"
    assert {commune.now for commune in communes().values() if commune.now} <= today
    assert set(COMMUNES) <= today
