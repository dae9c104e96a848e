"""Parses a CSV as it arrives; yields each row once it is complete."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field

from jalons.client.exchange import Answer

_END_OF_ROW = "\r\n"
"""No cell contains one: the hub accepts no control characters."""


@dataclass
class Rows:
    """State of the parser."""

    _incomplete: str = ""
    _headings: list[str] = field(default_factory=list)

    def feed(self, part: str) -> Iterator[Answer]:
        """The rows completed by this chunk, by heading, with cells as the hub wrote them."""
        *lines, self._incomplete = (self._incomplete + part).split(_END_OF_ROW)
        for line in lines:
            [cells] = csv.reader([line.removeprefix("\ufeff")], delimiter=";")
            if self._headings:
                yield Answer(zip(self._headings, cells, strict=True))
            else:
                self._headings = cells
