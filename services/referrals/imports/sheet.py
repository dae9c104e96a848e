"""Reads a partner's own table as rows of fields; nothing of a row is lost or changed without being said."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

from jalons.privacy.national_number import holds_national_number
from services.referrals.imports import separated, workbook
from services.referrals.imports.headings import ANSWERS, HEADINGS, IGNORED, REQUIRED, Headings, check_ids, plain
from services.referrals.imports.table import MOST_COLUMN, MOST_ROWS, Cell, Cells, NotTaken, Table, letters

__all__ = ["ANSWERS", "HEADINGS", "IGNORED", "REQUIRED", "NotTaken", "plain"]

DATES = frozenset({"happened_on", "expires_on"})
LISTS = frozenset({"obstacles", "attributes"})
_CODES_OF_OWN = frozenset({"local_ref", "evidence_ref"})
"""Fields whose text is the partner's own."""
LIST_OF = {
    **{
        field: field
        for field in ("age_band", "sex", "education", "household", "moment", "goal", "chosen_by", "contact")
    },
    "status": "person_status",
    "obstacles": "obstacle",
    "reason": "referral_reason",
    "channel": "consent_channel",
    "attributes": "attribute",
}
"""Field → the closed list of its codes."""
_MOST_TEXT = 300
"""Characters of a cell under a known heading."""
_ERROR = re.compile(r"#.*|Err:[0-9]{3}", re.IGNORECASE)
"""What spreadsheets write for a value they could not work out, in any language: #N/A, #NOM?, #WAARDE!, Err:502."""
_TRUTH = frozenset({"true", "false", "vrai", "faux", "waar", "onwaar", "wahr", "falsch"})
_MONTH = "jan|fev|feb|mar|mrt|maa|avr|apr|mai|mei|may|jui|jun|juin|jul|aou|aug|sep|oct|okt|nov|dec|dez"
_MADE_A_DATE = re.compile(
    rf"\d{{4}}-\d{{1,2}}-\d{{1,2}}|\d{{1,2}}[/.-]\d{{1,2}}[/.-](?:\d{{4}}|\d{{2}})|\d{{1,2}}[ .-](?:{_MONTH})\w*"
    rf"|(?:{_MONTH})\w*[ .-]\d{{2}}(?:\d\d)?|\d{{1,2}}[ .-](?:{_MONTH})\w*[ .-]\d{{2,4}}",
    re.ASCII,
)
_SCIENTIFIC = re.compile(r"[0-9]+(?:[.,][0-9]+)?E[+-]?[0-9]+", re.IGNORECASE)
_FIRST_SERIAL, _LAST_SERIAL = 18_264, 109_574
"""1 January 1950 and 31 December 2199, as spreadsheets count days."""


class Fault(NamedTuple):
    """What is wrong with a row. code: a section of the catalogue's `fault` texts. field: whose cell it is, if one's."""

    code: str
    field: str | None = None
    places: Mapping[str, Any] = {}


class Row(NamedTuple):
    """A row: its number, the text of each field that is not empty, and what is wrong with its cells."""

    number: int
    texts: dict[str, str]
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table's rows. headings: field → heading. outside: rows and columns of what stands beside the table."""

    headings: Mapping[str, str]
    rows: tuple[Row, ...]
    outside: tuple[tuple[int, str], ...] = ()


def read(content: bytes, mapping: Mapping[str, str]) -> Sheet:
    """CSV (`;`, `,`, tab or `|`; UTF-8, UTF-16 or Windows-1252), or XLSX. mapping: the partner's own headings → field.

    Raises NotTaken: the file is no table, is beyond a bound, names a person, or has columns that are not known.
    """
    headings = Headings(mapping)
    if content.startswith(b"PK\x03\x04"):
        table = _chosen([*workbook.tables(content)], headings)
    else:
        table = separated.table(content, headings.score)
    for number, cells in table.rows:
        if any(holds_national_number(cell.text) for cell in cells.values()):
            raise NotTaken("national_number", line=number)
    at = headings.find(table)
    line, named = table.rows[at]
    where = headings.columns(named)
    below = [row for row in table.rows[at + 1 :] if row[1] != named]
    check_ids(named, below)
    if len(below) > MOST_ROWS:
        raise NotTaken("too_many_rows", most=MOST_ROWS)
    columns = _columns(where, named, [span for span in table.spans if span[0] == line])
    return _sheet(columns, named, below)


def _chosen(tables: Sequence[Table], headings: Headings) -> Table:
    """The sheet that has known headings; the first one if none has. Raises NotTaken if two have."""
    if not tables:
        raise NotTaken("empty")
    scores = [headings.score(cell.text for cell in each.rows[headings.find(each)][1].values()) for each in tables]
    like = [each for each, score in zip(tables, scores, strict=True) if score >= 3]
    if len(like) > 1:
        raise NotTaken("several_sheets")
    return like[0] if like else tables[0]


def _columns(where: Mapping[str, int], named: Cells, spans: Iterable[tuple[int, int, int]]) -> dict[str, list[int]]:
    """Field → its columns: more than one only under a heading that is merged over them."""
    to = {first: min(last, MOST_COLUMN) for _, first, last in spans}
    return {
        field: [column, *(each for each in range(column + 1, to.get(column, column) + 1) if each not in named)]
        for field, column in where.items()
    }


def _sheet(columns: Mapping[str, Sequence[int]], named: Cells, below: Sequence[tuple[int, Cells]]) -> Sheet:
    known = {*named, *(column for each in columns.values() for column in each)}
    rows, outside = [], []
    for number, cells in below:
        texts: dict[str, str] = {}
        faults: list[Fault] = []
        for field, own in columns.items():
            _fill(texts, faults, field, [cells[column] for column in own if column in cells])
        beyond = sorted(set(cells) - known)
        if texts or faults:
            faults += [Fault("beyond", None, {"column": letters(column)}) for column in beyond[:5]]
            rows.append(Row(number, texts, tuple(faults)))
        else:
            outside += [(number, letters(column)) for column in beyond[:1]]
    if not rows:
        raise NotTaken("empty")
    return Sheet({field: named[own[0]].text for field, own in columns.items()}, tuple(rows), tuple(outside[:50]))


def _fill(texts: dict[str, str], faults: list[Fault], field: str, cells: Sequence[Cell]) -> None:
    """Add what a row's cells under a heading hold, or what is wrong with them."""
    faults += [Fault(fault, field) for cell in cells if (fault := _wrong(field, cell))]
    found = [unshielded(cell.text) for cell in cells]
    if len(found) > 1 and field not in LISTS:
        faults.append(Fault("several_cells", field))
    if found and not any(fault.field == field for fault in faults):
        texts[field] = "|".join(found)


def _wrong(field: str, cell: Cell) -> str | None:
    """Why a cell's text is not what was typed, or not what its heading is for; None if it may be."""
    if cell.kind == "error" or _ERROR.fullmatch(cell.text):
        return "error_value"
    if cell.kind in {"uncomputed", "truth"}:
        return cell.kind
    if len(cell.text) > _MOST_TEXT:
        return "too_long"
    if cell.kind == "date" and field not in DATES:
        return "made_a_date"
    return _changed(cell) if field in _CODES_OF_OWN else None


def _changed(cell: Cell) -> str | None:
    """Why a partner's own code is one that a spreadsheet changed; None if it is not."""
    text = plain(cell.text)
    if text in _TRUTH:
        return "truth"
    if _SCIENTIFIC.fullmatch(cell.text) or (cell.kind == "number" and not cell.text.lstrip("-").isdigit()):
        return "rounded"
    bare = cell.text.strip().casefold().replace("é", "e").replace("û", "u").rstrip(".")
    return "made_a_date" if _MADE_A_DATE.fullmatch(bare) else None


def day(text: str) -> str | None:
    """A date in ISO form: from dd/mm/yyyy, dd/mm/yy, ISO, or the number a spreadsheet has for it; else None."""
    bare = re.sub(r"[T ]\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?Z?$", "", text.strip())
    if re.fullmatch(r"[0-9]{5,6}(?:\.0+)?", bare):
        serial = int(float(bare))
        known = _FIRST_SERIAL <= serial <= _LAST_SERIAL
        return (date(1899, 12, 30) + timedelta(days=serial)).isoformat() if known else None
    if found := re.fullmatch(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d{2})", bare, re.ASCII):
        year, month, of_month = int(found[4]), int(found[3]), int(found[1])
        year += 2000 if len(found[4]) == 2 else 0
    elif found := re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)", bare, re.ASCII):
        year, month, of_month = int(found[1]), int(found[2]), int(found[3])
    else:
        return None
    try:
        return date(year, month, of_month).isoformat()
    except ValueError:
        return None


_FORMULA = tuple("=+-@＝＋－＠")
"""The first characters of a formula, with the full-width forms that some spreadsheets accept."""


def shielded(text: str) -> str:
    """A text as a cell that no spreadsheet runs as a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def unshielded(cell: str) -> str:
    """A cell's text, without the quote that `shielded` put before it."""
    text = cell.strip()
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text
