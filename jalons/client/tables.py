"""A table as it is read part by part; a row is handed on once it is there whole."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field

from jalons.client.exchange import Answer

_END_OF_ROW = "\r\n"
"""No cell holds one: the hub takes no control character."""


@dataclass
class Rows:
    """Where the reading of a table is."""

    _half: str = ""
    _headings: list[str] = field(default_factory=list)

    def hear(self, part: str) -> Iterator[Answer]:
        """The rows that this part completes, by heading; what a cell says stands as the hub wrote it."""
        *lines, self._half = (self._half + part).split(_END_OF_ROW)
        for line in lines:
            [cells] = csv.reader([line.removeprefix("\ufeff")], delimiter=";")
            if self._headings:
                yield Answer(zip(self._headings, cells, strict=True))
            else:
                self._headings = cells
