"""XLSX files as tests need them: honest, damaged, or made to hurt whoever reads them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from xml.sax.saxutils import escape

SPACE = "http://schemas.openxmlformats.org"
_MAIN = f'xmlns="{SPACE}/spreadsheetml/2006/main"'
_TYPES = (
    f'<Types xmlns="{SPACE}/package/2006/content-types"><Override PartName="/xl/workbook.xml"'
    ' ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>'
)
_BOOK = (
    f'<workbook {_MAIN} xmlns:r="{SPACE}/officeDocument/2006/relationships"><sheets>'
    '<sheet name="A" sheetId="1" r:id="r1"/></sheets></workbook>'
)
_STYLES = (
    f'<styleSheet {_MAIN}><numFmts><numFmt numFmtId="170" formatCode="00000"/></numFmts><cellXfs>'
    '<xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="170"/></cellXfs></styleSheet>'
)
DATE, PADDED = 1, 2
"""Styles of cells: a date, and a number of five digits."""
_KINDS = {"worksheet": "worksheets/sheet1.xml", "sharedStrings": "sharedStrings.xml", "styles": "styles.xml"}


def raw(cell: object) -> str:
    """A cell of the sheet; a text that begins with `<c` is one already."""
    if isinstance(cell, str):
        return cell if cell.startswith("<c") else f'<c t="inlineStr"><is><t>{escape(cell)}</t></is></c>'
    return f"<c><v>{cell}</v></c>"


def rows(lines: Iterable[Iterable[object]]) -> str:
    """The rows of a sheet."""
    return "".join(f"<row>{''.join(map(raw, line))}</row>" for line in lines)


def packed(sheet: str, strings: str = "<sst/>", *, after: str = "", before: str = "", **parts: str) -> bytes:
    """A file with this content of `sheetData`. before: what stands before the sheet's root; after: after its data."""
    relations = "".join(
        f'<Relationship Id="r{at}" Type="{SPACE}/officeDocument/2006/relationships/{kind}" Target="{path}"/>'
        for at, (kind, path) in enumerate(_KINDS.items(), 1)
    )
    root = f'Id="r0" Type="{SPACE}/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"'
    relationships = f'<Relationships xmlns="{SPACE}/package/2006/relationships">'
    files = {
        "[Content_Types].xml": _TYPES,
        "_rels/.rels": f"{relationships}<Relationship {root}/></Relationships>",
        "xl/workbook.xml": _BOOK,
        "xl/_rels/workbook.xml.rels": f"{relationships}{relations}</Relationships>",
        "xl/styles.xml": _STYLES,
        "xl/sharedStrings.xml": strings,
        "xl/worksheets/sheet1.xml": f"{before}<worksheet {_MAIN}><sheetData>{sheet}</sheetData>{after}</worksheet>",
        **parts,
    }
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name, text in files.items():
            file.writestr(name, text if text.startswith("<?xml") else f'<?xml version="1.0" encoding="UTF-8"?>{text}')
    return written.getvalue()


def workbook(*lines: Iterable[object]) -> bytes:
    """A minimal XLSX file."""
    return packed(rows(lines))
