"""A partner's table is read as spreadsheets save it, and refused whole where it could name a person."""

from __future__ import annotations

import io
import zipfile
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.referrals.imports import sheet
from services.referrals.imports.sheet import NotTaken, Sheet

ALL = (*sheet.REQUIRED, "obstacles")


def workbook(*rows: tuple[str | float, ...]) -> bytes:
    """A minimal XLSX file."""
    cells = "".join(
        "<row>"
        + "".join(
            f'<c t="inlineStr"><is><t>{escape(cell)}</t></is></c>' if isinstance(cell, str) else f"<c><v>{cell}</v></c>"
            for cell in row
        )
        + "</row>"
        for row in rows
    )
    space = "http://schemas.openxmlformats.org"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{space}/package/2006/content-types">'
        '<Override PartName="/xl/workbook.xml"'
        ' ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{space}/package/2006/relationships"><Relationship Id="r0"'
        f' Type="{space}/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{space}/spreadsheetml/2006/main"'
        f' xmlns:r="{space}/officeDocument/2006/relationships">'
        '<sheets><sheet name="A" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{space}/package/2006/relationships"><Relationship Id="r1"'
        f' Type="{space}/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{space}/spreadsheetml/2006/main"><sheetData>{cells}</sheetData>'
        "</worksheet>",
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for name, text in parts.items():
            file.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>{text}')
    return packed.getvalue()


@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("line", ["\n", "\r\n"])
def test_csv_as_spreadsheets_save_it(delimiter: str, encoding: str, line: str) -> None:
    text = line.join([delimiter.join(["Dossier", "Ménage"]), "", delimiter.join(['"A; b, c"', "Érezée"]), "alone"])
    found = sheet.read(text.encode(encoding))
    assert found == Sheet(("Dossier", "Ménage"), ((3, ("A; b, c", "Érezée")), (4, ("alone", ""))))


def test_a_workbook_gives_the_same_texts_as_a_csv() -> None:
    found = sheet.read(workbook(("Dossier", "Commune"), ("D-1", 6990), ("D-2", 6940.0)))
    assert found == Sheet(("Dossier", "Commune"), ((2, ("D-1", "6990")), (3, ("D-2", "6940"))))


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04rubbish", b"a;b\n\0;c", b"a;b\n\x81;c", workbook(("a",), ("b",))[:300]]
)
def test_what_is_no_table_is_said_to_be_none(content: bytes) -> None:
    with pytest.raises(NotTaken) as refusal:
        sheet.read(content)
    assert refusal.value.code == "unreadable"


def test_a_workbook_that_unpacks_to_too_much_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet, "_MOST_UNPACKED", 100)
    with pytest.raises(NotTaken):
        sheet.read(workbook(("a",), ("b",)))


@pytest.mark.parametrize("heading", ["Nom", "PRÉNOM", "Date de naissance", "N° NISS", "Adresse e-mail", "gsm"])
def test_a_column_that_names_a_person_refuses_the_table_also_when_mapped(heading: str) -> None:
    table = Sheet((*ALL, heading), ((2, ("x",) * (len(ALL) + 1)),))
    with pytest.raises(NotTaken) as refusal:
        sheet.columns(table, {heading: sheet.IGNORED})
    assert refusal.value.code == "names_a_person"


def test_a_row_is_the_body_of_a_call() -> None:
    where = {name: place for place, name in enumerate(("local_ref", "obstacles", "moment", "happened_on", "channel"))}
    body = sheet.referral(
        ("D-1", "mobilité | langue", "Formation", "3/1/2026", ""), where, {"obstacles": {"mobilite": "mobilite"}}
    )
    assert body == {
        "moment": "Formation",
        "happened_on": "2026-01-03",
        "person": {"local_ref": "D-1", "profile": {"obstacles": ["mobilite", "langue"]}},
    }


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    try:
        found = sheet.read(content)
    except NotTaken as refusal:
        assert refusal.cause
        assert refusal.cure
    else:
        assert all(len(cells) == len(found.headings) for _, cells in found.rows)
