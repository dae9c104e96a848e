"""A table of foreign bytes: cells with what the file says they are, within bounds that are checked as they come."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

MOST_ROWS = 20_000
"""Rows with something in them, beside the headings and the lines above them."""
MOST_LINE = 1_048_576
"""The last row that a spreadsheet has."""
MOST_COLUMN = 16_384
"""The last column that a spreadsheet has."""
MOST_CELLS = 500_000
MOST_COLUMNS = 500
"""Cells of a row with something in them."""
MOST_CELL_TEXT = 32_767
"""Characters; a spreadsheet's own bound."""
MOST_TEXT = 50_000_000
"""Characters in all cells."""

Kind = Literal["text", "number", "date", "truth", "error", "uncomputed"]


class NotTaken(Exception):
    """The file as a whole is refused. code: a section of the catalogue's `file` texts; places: what they name."""

    def __init__(self, code: str, **places: object) -> None:
        super().__init__(code)
        self.code = code
        self.places = places


class Cell(NamedTuple):
    """A cell's text, and what the file says it is; everything in a CSV is text. A date's text is in ISO form."""

    text: str
    kind: Kind = "text"


Cells = dict[int, Cell]
"""0-based column → cell, without empty ones."""


@dataclass(slots=True)
class Table:
    """The rows that hold something, by the number a spreadsheet gives them, and how far headings are merged.

    spans: (row, first column, last column) of cells merged over several columns.
    """

    rows: list[tuple[int, Cells]] = field(default_factory=list)
    spans: list[tuple[int, int, int]] = field(default_factory=list)
    cells: int = 0
    text: int = 0

    def add(self, number: int, cells: Cells) -> None:
        """Append a row, if it holds anything. Raises NotTaken beyond a bound."""
        if not cells:
            return
        if len(cells) > MOST_COLUMNS:
            raise NotTaken("too_many_cells", most=MOST_CELLS)
        if number > MOST_LINE or len(self.rows) >= MOST_ROWS + MOST_ABOVE + 1:
            raise NotTaken("too_many_rows", most=MOST_ROWS)
        self.rows.append((number, cells))

    def count(self, line: int, text: str) -> None:
        """Count a cell towards the bounds. Raises NotTaken beyond one."""
        self.cells += 1
        self.text += len(text)
        if len(text) > MOST_CELL_TEXT:
            raise NotTaken("cell_too_long", line=line, most=MOST_CELL_TEXT)
        if self.cells > MOST_CELLS or self.text > MOST_TEXT:
            raise NotTaken("too_many_cells", most=MOST_CELLS)


MOST_ABOVE = 50
"""Lines that may stand above the headings."""


def letters(column: int) -> str:
    """A 0-based column as spreadsheets name it: A, B, … Z, AA."""
    name = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(65 + rest) + name
    return name
