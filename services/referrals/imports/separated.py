"""Reads CSV: every line becomes a row, and a quotation mark that would swallow lines is refused with its line."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from itertools import islice

from services.referrals.imports.table import MOST_CELL_TEXT, MOST_CELLS, MOST_LINE, MOST_ROWS, Cell, NotTaken, Table

DELIMITERS = ";,\t|"
MOST_LINE_TEXT = 500_000
"""Characters."""
_PROBE = 60
"""Lines that are read to find the delimiter."""
Score = Callable[[list[str]], int]
"""How many cells of a row are known as headings."""


def table(content: bytes, score: Score) -> Table:
    """A CSV's rows. score: it finds the headings, and with them the delimiter. Raises NotTaken."""
    text = _decoded(content)
    if text.count("\n") + text.count("\r") > 2 * MOST_LINE:
        raise NotTaken("too_many_rows", most=MOST_ROWS)
    lines = re.split(r"\r\n|\r|\n", text)
    if max(map(len, lines)) > MOST_LINE_TEXT:
        raise NotTaken("too_many_cells", most=MOST_CELLS)
    csv.field_size_limit(MOST_CELL_TEXT)
    if named := re.fullmatch(r'"?sep=(.)"?[;,\t| ]*', lines[0], re.IGNORECASE):
        delimiter, lines[0] = named[1], ""
    else:
        delimiter = max(DELIMITERS, key=lambda each: _likeness(lines[:_PROBE], each, score))
    found, width = Table(), 0
    for number, row in _rows(lines, delimiter):
        if width and any("\n" in text for text in row):
            _check_breaks(number, row, width, delimiter)
        cells = {}
        for column, text in enumerate(row):
            if bare := text.replace("\xa0", " ").strip():
                found.count(number, bare)
                cells[column] = Cell(bare)
        width = width or (len(row) if score(row) > 2 else 0)
        found.add(number, cells)
    return found


def _rows(lines: list[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Rows with their number, as a spreadsheet counts them: a cell that has a line break is in one row."""
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter, strict=True)
    for number in range(1, len(lines) + 1):
        read = reader.line_num
        try:
            yield number, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "field limit" in str(error) and reader.line_num - read <= 1:
                raise NotTaken("cell_too_long", line=number, most=MOST_CELL_TEXT) from None
            raise NotTaken("unclosed_quote", line=number) from None


def _check_breaks(number: int, row: list[str], width: int, delimiter: str) -> None:
    """A row below the headings whose cells hold line breaks is as wide as the headings, and none of its cells holds a
    row of its own: else two marks that were not closed have met. Raises NotTaken."""
    swallowed = any("\n" in text and text.count(delimiter) >= width - 1 for text in row)
    if len(row) != width or swallowed:
        raise NotTaken("unclosed_quote", line=number)


def _likeness(lines: list[str], delimiter: str, score: Score) -> tuple[int, int]:
    """The score of the row that is most like headings, then the number of delimiters."""
    try:
        rows = list(islice(csv.reader((f"{line}\n" for line in lines), delimiter=delimiter), _PROBE))
    except csv.Error:
        rows = [line.split(delimiter) for line in lines]
    return max(map(score, rows), default=0), sum(line.count(delimiter) for line in lines)


def _decoded(content: bytes) -> str:
    """The text: UTF-8, UTF-16 with its mark, or Windows-1252. Raises NotTaken."""
    encodings = ("utf-16",) if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else ("utf-8-sig", "cp1252")
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise NotTaken("unreadable")
