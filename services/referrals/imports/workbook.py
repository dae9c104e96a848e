"""Reads XLSX as its rows come: a cell far away costs what one cell costs, and a part is inflated up to a bound.

Libraries were tried: one allocates the whole rectangle up to the last cell, another takes 27 µs a cell; neither says
which cells are merged, or which formulas have no value, while it streams.
"""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
import zlib
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from xml.parsers import expat

from services.referrals.imports.table import (
    MOST_CELL_TEXT,
    MOST_CELLS,
    MOST_COLUMN,
    MOST_LINE,
    MOST_TEXT,
    Cell,
    Cells,
    NotTaken,
    Table,
)

MOST_UNPACKED = 100 * 1024 * 1024
"""Bytes of all parts that are read, counted while they are inflated."""
MOST_SHEETS = 20
MOST_BEGUN = 4 * MOST_CELLS
"""Cells of a sheet, those that hold nothing but a style included."""
MOST_STYLES = 65_000
MOST_MERGED = 100_000
_CHUNK = 64 * 1024
_DATE_FORMATS = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))
"""Built-in number formats that show a day or a time (ECMA-376, part 1, 18.8.30)."""
_NOT_SHOWN = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]')
_PLACE = re.compile(r"\$?([A-Z]{1,3})\$?([0-9]{1,7})")
_FIRST_SERIAL, _LAST_SERIAL = 18_264, 109_574
"""1 January 1950 and 31 December 2199. Smaller numbers in a date format are no dates that anybody typed."""
_EXACT = 10**15
"""A spreadsheet keeps fifteen digits of a number."""

Attributes = Mapping[str, str]


class _Package:
    """The parts of the file, each inflated as it is parsed."""

    def __init__(self, packed: zipfile.ZipFile) -> None:
        self._packed = packed
        self._left = MOST_UNPACKED

    def parse(self, name: str, handler: Any) -> bool:
        """Feed a part to a handler's start, end and text; False if there is no such part. Raises NotTaken."""
        try:
            part = self._packed.open(name)
        except KeyError:
            return False
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = lambda tag, attributes: handler.start(_local(tag), attributes)
        parser.EndElementHandler = lambda tag: handler.end(_local(tag))
        parser.CharacterDataHandler = handler.characters
        parser.StartDoctypeDeclHandler = _no_document_type
        with part:
            while chunk := part.read(_CHUNK):
                self._left -= len(chunk)
                if self._left < 0:
                    raise NotTaken("too_many_cells", most=MOST_CELLS)
                parser.Parse(chunk, False)
        parser.Parse(b"", True)
        return True


def _no_document_type(*_declared: object) -> None:
    """A workbook has no document type; one that has means to define entities."""
    raise NotTaken("unreadable")


def _local(tag: str) -> str:
    return tag.rpartition(":")[2]


class _Handler:
    """Ignores everything."""

    def start(self, tag: str, attributes: Attributes) -> None:
        """An element begins."""

    def end(self, tag: str) -> None:
        """An element ends."""

    def characters(self, text: str) -> None:
        """Text of the element."""


class _Relations(_Handler):
    """Relationship id → path of the part, and the path by type."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.by_id: dict[str, str] = {}
        self.by_type: dict[str, str] = {}

    def start(self, tag: str, attributes: Attributes) -> None:
        if tag == "Relationship" and attributes.get("TargetMode") != "External":
            target = attributes.get("Target", "")
            path = target[1:] if target.startswith("/") else posixpath.normpath(posixpath.join(self._folder, target))
            self.by_id[attributes.get("Id", "")] = path
            self.by_type[attributes.get("Type", "").rpartition("/")[2]] = path


class _Book(_Handler):
    """The relationship ids of the visible sheets, and whether days are counted from 1904."""

    def __init__(self) -> None:
        self.sheets: list[str] = []
        self.from_1904 = False

    def start(self, tag: str, attributes: Attributes) -> None:
        if tag == "workbookPr":
            self.from_1904 = attributes.get("date1904", "0") in {"1", "true"}
        elif tag == "sheet" and attributes.get("state", "visible") == "visible":
            named = (value for name, value in attributes.items() if _local(name) == "id" and ":" in name)
            self.sheets.append(next(named, ""))


class _Styles(_Handler):
    """For each style of cells: whether it shows a date, and to how many digits it pads with zeros."""

    def __init__(self) -> None:
        self._codes: dict[str, str] = {}
        self._within = False
        self.styles: list[tuple[bool, int]] = []

    def start(self, tag: str, attributes: Attributes) -> None:
        if tag == "numFmt":
            self._codes[attributes.get("numFmtId", "")] = attributes.get("formatCode", "")[:200]
        elif tag == "cellXfs":
            self._within = True
        elif tag == "xf" and self._within and len(self.styles) < MOST_STYLES:
            number = attributes.get("numFmtId", "0")
            self.styles.append(_shown(number, self._codes.get(number)))

    def end(self, tag: str) -> None:
        if tag == "cellXfs":
            self._within = False


def _shown(number: str, code: str | None) -> tuple[bool, int]:
    if code is None:
        return number.isdigit() and int(number) in _DATE_FORMATS, 0
    if re.fullmatch("0{2,20}", code):
        return False, len(code)
    bare = _NOT_SHOWN.sub("", code.partition(";")[0])
    return bool(re.search("[dmyhs]", bare.lower().replace("general", ""))), 0


class _Strings(_Handler):
    """The shared strings."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._parts: list[str] = []
        self._wanted = False
        self._aside = 0
        self._size = 0

    def start(self, tag: str, _attributes: Attributes) -> None:
        if tag == "si":
            self._parts = []
        elif tag == "rPh":
            self._aside += 1
        elif tag == "t":
            self._wanted = not self._aside

    def end(self, tag: str) -> None:
        if tag == "si":
            self.texts.append("".join(self._parts))
            if len(self.texts) > MOST_CELLS:
                raise NotTaken("too_many_cells", most=MOST_CELLS)
        elif tag == "rPh":
            self._aside -= 1
        elif tag == "t":
            self._wanted = False

    def characters(self, text: str) -> None:
        if self._wanted:
            self._size += len(text)
            if self._size > MOST_TEXT:
                raise NotTaken("too_many_cells", most=MOST_CELLS)
            self._parts.append(text)


class _Sheet(_Handler):
    """The rows of a sheet. A cell is complete at its end tag, a row at its own."""

    def __init__(self, strings: list[str], styles: list[tuple[bool, int]], from_1904: bool) -> None:
        self.table = Table()
        self.merged: list[tuple[int, int, int, int]] = []
        self._strings = strings
        self._styles = styles
        self._from_1904 = from_1904
        self._line = 0
        self._column = -1
        self._cells: Cells = {}
        self._kind = self._style = ""
        self._formula = self._wanted = False
        self._parts: list[str] = []
        self._size = self._aside = self._begun = 0

    def start(self, tag: str, attributes: Attributes) -> None:
        if tag == "c":
            self._begin(attributes)
        elif tag in {"v", "t"}:
            self._wanted = True
        elif tag == "f":
            self._formula = True
        elif tag == "row":
            number = attributes.get("r", "")
            self._line = int(number) if number.isdigit() and len(number) < 9 else self._line + 1
            if self._line > MOST_LINE:
                raise NotTaken("unreadable")
            self._column, self._cells = -1, {}
        elif tag == "rPh":
            self._aside += 1
        elif tag == "mergeCell":
            if len(self.merged) >= MOST_MERGED:
                raise NotTaken("too_many_cells", most=MOST_CELLS)
            self._merge(attributes.get("ref", ""))

    def end(self, tag: str) -> None:
        if tag == "c":
            self._keep()
        elif tag in {"v", "t"}:
            self._wanted = False
        elif tag == "rPh":
            self._aside -= 1
        elif tag == "row":
            self.table.add(self._line, self._cells)

    def characters(self, text: str) -> None:
        if self._wanted and not self._aside:
            self._size += len(text)
            if self._size > MOST_CELL_TEXT:
                raise NotTaken("cell_too_long", line=self._line, most=MOST_CELL_TEXT)
            self._parts.append(text)

    def _begin(self, attributes: Attributes) -> None:
        self._begun += 1
        if self._begun > MOST_BEGUN:
            raise NotTaken("too_many_cells", most=MOST_CELLS)
        place = attributes.get("r", "")
        self._column = _column(place) if place else self._column + 1
        if self._column >= MOST_COLUMN:
            raise NotTaken("unreadable")
        self._kind, self._style = attributes.get("t", "n"), attributes.get("s", "0")
        self._formula, self._parts, self._size = False, [], 0

    def _keep(self) -> None:
        cell = self._read("".join(self._parts))
        if cell.text:
            self.table.count(self._line, cell.text)
            self._cells[self._column] = cell

    def _read(self, text: str) -> Cell:
        kind = self._kind
        if not text:
            return Cell("=", "uncomputed") if self._formula and kind != "str" else Cell("")
        if kind == "s":
            return Cell(_tidy(self._strings[int(text)]))
        if kind == "e":
            return Cell(text, "error")
        if kind == "b":
            return Cell(text, "truth")
        if kind == "d":
            return Cell(text.strip()[:10], "date")
        return self._number(text) if kind == "n" else Cell(_tidy(text))

    def _number(self, text: str) -> Cell:
        value = float(text)
        style = int(self._style) if self._style.isdigit() else 0
        dated, digits = self._styles[style] if style < len(self._styles) else (False, 0)
        if dated and _FIRST_SERIAL <= (serial := value + 1462 * self._from_1904) < _LAST_SERIAL + 1:
            return Cell((datetime(1899, 12, 30) + timedelta(days=int(serial))).date().isoformat(), "date")  # noqa: DTZ001 - a spreadsheet's day has no zone
        if value.is_integer() and abs(value) < _EXACT:
            return Cell(str(int(value)).zfill(digits), "number")
        return Cell(text.strip(), "number")

    def _merge(self, reference: str) -> None:
        first, _, last = reference.partition(":")
        if (one := _PLACE.fullmatch(first)) and (other := _PLACE.fullmatch(last)):
            self.merged.append((int(one[2]), _column(one[1]), int(other[2]), _column(other[1])))


def _tidy(text: str) -> str:
    return text.replace("_x000D_", "").replace("\xa0", " ").strip()


def _column(place: str) -> int:
    """The 0-based column of `C7`. Raises NotTaken."""
    found = re.match("[A-Z]{1,3}", place)
    if found is None:
        raise NotTaken("unreadable")
    number = 0
    for letter in found[0]:
        number = number * 26 + ord(letter) - 64
    return number - 1


def tables(content: bytes) -> Iterator[Table]:
    """The visible sheets of a workbook, in order, those without a cell left out. Raises NotTaken."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            yield from _tables(_Package(packed))
    except NotTaken:
        raise
    except MemoryError:
        raise NotTaken("too_many_cells", most=MOST_CELLS) from None
    except _BROKEN:
        raise NotTaken("unreadable") from None


_BROKEN = (
    *(zipfile.BadZipFile, expat.ExpatError, OSError, EOFError, NotImplementedError, RuntimeError),
    *(ValueError, KeyError, IndexError, OverflowError, zlib.error),
)
"""What a broken file makes zipfile, expat and the readers above raise."""


def _tables(package: _Package) -> Iterator[Table]:
    relations, strings, styles, book = _Relations(""), _Strings(), _Styles(), _Book()
    package.parse("_rels/.rels", relations)
    path = relations.by_type.get("officeDocument", "xl/workbook.xml")
    folder, name = posixpath.split(path)
    parts = _Relations(folder)
    package.parse(f"{folder}/_rels/{name}.rels", parts)
    if not package.parse(path, book) or not book.sheets:
        raise NotTaken("unreadable")
    package.parse(parts.by_type.get("sharedStrings", ""), strings)
    package.parse(parts.by_type.get("styles", ""), styles)
    for each in book.sheets[:MOST_SHEETS]:
        sheet = _Sheet(strings.texts, styles.styles, book.from_1904)
        if not package.parse(parts.by_id.get(each, ""), sheet):
            raise NotTaken("unreadable")
        _spread(sheet.table, sheet.merged)
        if sheet.table.rows:
            yield sheet.table


def _spread(table: Table, merged: list[tuple[int, int, int, int]]) -> None:
    """A cell merged over several rows stands in each of them that holds something else too."""
    rows = dict(table.rows)
    numbers = sorted(rows)
    for top, left, bottom, right in merged:
        if right > left:
            table.spans.append((top, left, right))
        cell = rows.get(top, {}).get(left)
        if cell is None or bottom <= top:
            continue
        for number in numbers[bisect_right(numbers, top) : bisect_right(numbers, bottom)]:
            rows[number].setdefault(left, cell)
            table.count(number, cell.text)
