"""An opaque code is a number of the partner's own: never a name, a telephone number or a national number."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jalons.privacy.opaque_codes import NotOpaque, dossier_code, new_dossier_code, opaque


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        *(("H-2026-114", "H-2026-114"), ("118", "118"), ("00118", "00118"), ("H 2026 114", "H2026114")),
        *((" 12/34.5_6 ", "12/34.5_6"), ("2026000118", "2026000118"), ("12\u00a0345", "12345"), ("１１８", "118")),
        *(("000000118", "000000118"), ("0000000118", "0000000118"), ("2026-11-24", "2026-11-24")),
        *(("x1" * 18, "x1" * 18), ("D-7K4M-2QX", "D-7K4M-2QX"), ("83012", "83012"), ("H-0123-45678", "H-0123-45678")),
    ],
)
def test_dossier_numbers_as_offices_write_them_are_taken(text: str, stored: str) -> None:
    assert opaque(text) == stored


@pytest.mark.parametrize(
    "text",
    [
        *("Dupont Marie", "dupont", "", " ", "marie.dupont", "x1" * 18 + "x", "Élodie1", "a\u200b1", "1;2", "1,2"),
        *("marie@cpas.example1", "85073003328", "85.07.30-033.28", "850730 033 28", "D-85073003328"),
        *("0475123456", "0475/12.34.56", "0475 12 34 56", "0475-123-456", "084460000", "084/46.00.00", "02 123 45 67"),
        *("+32475123456", "0032475123456", "0032 475 12 34 56", "32475123456", "3284460000", "0033612345678"),
        *("0612345678", "GSM0475123456", "tel-0475/12.34.56", "٠٤٧٥١٢٣٤٥٦"),
    ],
)
def test_what_could_tell_who_somebody_is_or_how_to_call_them_is_refused(text: str) -> None:
    with pytest.raises(NotOpaque) as refusal:
        opaque(text)
    assert text.strip() == "" or text not in str(refusal.value), "a refusal never repeats what was refused"


def test_a_uuid_is_a_code_also_where_eleven_of_its_digits_look_like_a_number() -> None:
    assert opaque("85073003-3280-4000-8000-000000000000")
    for _ in range(2_000):
        assert opaque(str(uuid.uuid4())) and opaque(uuid.uuid4().hex)


@given(st.text(max_size=40))
def test_any_text_is_a_code_with_a_digit_or_refused(text: str) -> None:
    try:
        code = opaque(text)
    except NotOpaque:
        return
    assert 0 < len(code) <= 36 and code.isascii() and any(each.isdigit() for each in code)
    assert opaque(code) == code


def test_the_hubs_own_dossier_codes_are_codes_and_survive_the_phone() -> None:
    drawn = [new_dossier_code() for _ in range(500)]
    assert len(set(drawn)) == len(drawn)
    for code in drawn:
        assert opaque(code) == dossier_code(code) == dossier_code(code.lower().replace("-", " ").replace("0", "o"))


@pytest.mark.parametrize("text", ["", "D", "H-2026-114", "R-7K4M-2QX", "D-7K4M-2QY", "D-2026-118", "118"])
def test_another_number_is_not_taken_for_one_of_them(text: str) -> None:
    assert dossier_code(text) is None
