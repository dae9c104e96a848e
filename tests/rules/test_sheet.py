"""A partner's table is read as spreadsheets save it, and refused whole where it could name a person."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.referrals.imports import sheet
from services.referrals.imports.headings import Headings, names_a_person
from services.referrals.imports.sheet import NotTaken, Row, Sheet
from tests.support.workbooks import DATE, PADDED, packed, rows, workbook

HEADINGS = (*sheet.REQUIRED, "obstacles", "expires_on")
FILLED = ("D-1", "25-29", "F", "6990", "higher", "ris", "alone", "x", "formation", "training", "qualify", "person")
VALUES = (*FILLED, "person_comes", "mobilite", "31/12/2027")


def csv(*lines: tuple[str, ...], delimiter: str = ";", line: str = "\r\n") -> str:
    return line.join(delimiter.join(cells) for cells in lines)


def with_cell(field: str, cell: object) -> tuple[object, ...]:
    """A row with another cell in a field's place."""
    return tuple(cell if name == field else value for name, value in zip(HEADINGS, VALUES, strict=True))


def refused(content: bytes | str, mapping: dict[str, str] | None = None) -> NotTaken:
    with pytest.raises(NotTaken) as refusal:
        sheet.read(content if isinstance(content, bytes) else content.encode(), mapping or {})
    return refusal.value


def taken(content: bytes | str, mapping: dict[str, str] | None = None) -> Sheet:
    return sheet.read(content if isinstance(content, bytes) else content.encode(), mapping or {})


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("line", ["\n", "\r\n", "\r"])
def test_csv_as_spreadsheets_save_it(delimiter: str, encoding: str, line: str) -> None:
    odd = with_cell("local_ref", '"A1; b, c"')
    text = csv(HEADINGS, ("",), odd, delimiter=delimiter, line=line).replace("household", "Ménage")  # type: ignore[arg-type]
    found = taken(text.encode(encoding))
    assert [row.number for row in found.rows] == [3]
    assert found.rows[0].texts["local_ref"] == "A1; b, c"
    assert found.headings["household"] == "Ménage"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: f"Relais du CPAS\r\n\r\n{text}",
        lambda text: f"\r\n\r\n{text}",
        lambda text: f"sep=;\r\n{text}",
        lambda text: f'"sep=;"\r\n{text}',
        lambda text: text.replace("local_ref", '"N°\ndossier"'),
        lambda text: text.replace("\r\n", ";;;;\r\n") + ";;;;",
        lambda text: f"Etabli le 16/11/2026;;;;\r\nService insertion;;\r\n{text}",
        lambda text: text.replace("education", "Niveau d’études").replace("household", "MÉNAGE"),
        lambda text: text.upper().replace("D-1", "D-1"),
        lambda text: f"{text}\r\n\r\n;;;;\r\n",
        lambda text: f"{text}\r\n{csv(HEADINGS)}",
    ],
)
def test_what_stands_around_a_table_does_not_matter(change: object) -> None:
    text = csv(HEADINGS, VALUES)
    found = taken(change(text))  # type: ignore[operator]
    assert len(found.rows) == 1
    assert {**found.rows[0].texts} == {
        name: value if change(text) != text.upper() else value.upper()  # type: ignore[operator]
        for name, value in zip(HEADINGS, VALUES, strict=True)
    }
    assert not found.rows[0].faults


def test_a_workbook_gives_the_same_texts_as_a_csv() -> None:
    number = with_cell("commune_nis", 6990)
    assert taken(workbook(HEADINGS, number)).rows == taken(csv(HEADINGS, VALUES)).rows
    dated = with_cell("expires_on", f'<c s="{DATE}"><v>46752</v></c>')
    assert taken(workbook(HEADINGS, dated)).rows[0].texts["expires_on"] == "2027-12-31"
    padded = with_cell("local_ref", f'<c s="{PADDED}"><v>118</v></c>')
    assert taken(workbook(HEADINGS, padded)).rows[0].texts["local_ref"] == "00118"


def test_a_cell_far_away_costs_nothing_and_is_named() -> None:
    far = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    found = taken(packed(rows([HEADINGS, VALUES]) + far))
    assert [row.number for row in found.rows] == [2]
    assert found.outside == ((1048576, "XFD"),)


def test_merged_cells_stand_where_a_reader_sees_them() -> None:
    named = tuple(name for name in HEADINGS if name != "expires_on")
    cells = [f"{name}" for name in named]
    lines = [[*cells, '<c r="O1"/>'], [*VALUES[:13], "mobilite", "langue"], [*with_cell("local_ref", "<c/>")[:14]]]
    found = taken(
        packed(rows(lines), after='<mergeCells><mergeCell ref="N1:O1"/><mergeCell ref="A2:A3"/></mergeCells>')
    )
    assert [row.texts["local_ref"] for row in found.rows] == ["D-1", "D-1"]
    assert found.rows[0].texts["obstacles"] == "mobilite|langue"


@pytest.mark.parametrize(
    ("field", "cell", "fault"),
    [
        ("expires_on", '<c t="e"><v>#N/A</v></c>', "error_value"),
        ("expires_on", "#N/A", "error_value"),
        ("expires_on", "#VALEUR!", "error_value"),
        ("expires_on", "#REF!", "error_value"),
        ("expires_on", "Err:502", "error_value"),
        ("expires_on", "<c><f>A1+1</f></c>", "uncomputed"),
        ("expires_on", '<c t="b"><v>1</v></c>', "truth"),
        ("local_ref", '<c t="b"><v>1</v></c>', "truth"),
        ("local_ref", "VRAI", "truth"),
        ("local_ref", "True", "truth"),
        ("local_ref", f'<c s="{DATE}"><v>46342</v></c>', "made_a_date"),
        ("local_ref", '<c t="d"><v>2026-11-16</v></c>', "made_a_date"),
        ("local_ref", "16/11/2026", "made_a_date"),
        ("local_ref", "avr-26", "made_a_date"),
        ("local_ref", "3-déc.", "made_a_date"),
        ("local_ref", "1,23E+11", "rounded"),
        ("local_ref", 2026.5, "rounded"),
        ("age_band", f'<c s="{DATE}"><v>46342</v></c>', "made_a_date"),
    ],
)
def test_a_cell_that_is_not_what_was_typed_is_refused_with_its_line(field: str, cell: object, fault: str) -> None:
    found = taken(workbook(HEADINGS, VALUES, with_cell(field, cell)))
    assert [(row.number, [(each.code, each.field) for each in row.faults]) for row in found.rows] == [
        (2, []),
        (3, [(fault, field)]),
    ]


def test_a_row_longer_than_its_heading_is_refused_with_its_line() -> None:
    [row] = taken(csv(HEADINGS, (*VALUES, "31/12/2028"))).rows
    assert [(row.number, each.code, each.places) for each in row.faults] == [(2, "beyond", {"column": "P"})]
    assert taken(csv(HEADINGS, VALUES, (*("",) * 18, "note"))).outside == ((3, "S"),)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (csv(HEADINGS, VALUES, VALUES, VALUES, VALUES).replace(";higher", ';"higher', 1), 2),
        (csv(HEADINGS, VALUES, VALUES).replace("\r\nD-1", '\r\n"D-1', 1), 2),
        (csv(HEADINGS, VALUES, VALUES, VALUES).replace(";higher", ';"higher', 2), 2),
        (csv(HEADINGS, VALUES, VALUES) + '\r\nD-2;"', 4),
        (
            csv(HEADINGS, VALUES, VALUES, VALUES)
            .replace(";alone", ';"alone', 1)[::-1]
            .replace(";enola", ';"enola', 1)[::-1],
            2,
        ),
    ],
)
def test_a_quotation_mark_that_is_not_closed_swallows_no_line(text: str, line: int) -> None:
    refusal = refused(text)
    assert (refusal.code, refusal.places) == ("unclosed_quote", {"line": line})


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        *((text, "2026-11-16") for text in ("16/11/2026", "16/11/26", "2026-11-16", "46342", "16.11.2026", "16-11-26")),
        ("2026-11-16T00:00:00", "2026-11-16"),
        *((text, None) for text in ("0", "3", "true", "31/02/2026", "11/16/2026", "16/11", "2026", "1e5", "99999999")),
    ],
)
def test_a_date_is_a_date_or_none(text: str, iso: str | None) -> None:
    assert sheet.day(text) == iso


@pytest.mark.parametrize(
    "heading",
    [
        "Nom",
        "PRÉNOM",
        "Date de naissance",
        "N° NISS",
        "Adresse e-mail",
        "gsm",
        "NIR",
        "Tél",
        "Tél.",
        "N° national",
        "Naam",
        "Rijksregisternummer",
        "Vorname",
        "Noms",
        "Voornamen",
        "Geburtsdatum",
        "DDN",
        "Né(e) le",
        "Telefonnummer",
        "N° nat.",
        "Familienname",
        "Surname",
        "Registre national",
        "Nr. national",
        "Nationaal nummer",
        "INSZ-nummer",
        "Straße",
        "Woonadres",
        "First name",
        "Roepnaam",
        "E-mails",
        "N.N.",
        "Nom\nde famille",
    ],
)
def test_a_column_that_names_a_person_refuses_the_table_also_when_mapped(heading: str) -> None:
    for field in (sheet.IGNORED, "offer"):
        text = csv((*HEADINGS, f'"{heading}"'), (*VALUES, "x"))
        assert refused(text, {heading: field}).code == "names_a_person"


@pytest.mark.parametrize("heading", ["Nom du partenaire", "Mobilité", "Commune", "Nombre de freins", "Remarques"])
def test_a_column_about_something_else_does_not(heading: str) -> None:
    assert not names_a_person(heading)


def test_every_heading_that_is_known_names_nobody() -> None:
    known = Headings({})
    for field, headings in sheet.HEADINGS.items():
        for heading in (field, *headings):
            assert known.field(heading) == field
            assert not names_a_person(heading)


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    try:
        found = sheet.read(content, {})
    except NotTaken as refusal:
        assert refusal.code
    else:
        assert all(isinstance(row, Row) for row in found.rows)
