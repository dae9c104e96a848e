"""A postal code is taken for its commune, or refused: never guessed."""

from __future__ import annotations

import pytest

from services.referrals.directory.communes import nis


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
