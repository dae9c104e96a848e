"""The process that reads a partner's file: it knows the bytes and the headings, and nothing else of the hub."""

from __future__ import annotations

import json
import sys
from typing import Any

from jalons.process.confined import confine
from services.referrals.imports import sheet
from services.referrals.imports.table import MOST_CELLS, NotTaken

MOST_WRITTEN = 24 * 1024 * 1024
"""Bytes. The rows of an honest file of the most rows take a third of it."""


def main() -> None:
    """Read a line with the mapping, then the file; write one JSON text a line: the headings, then each row."""
    confine()
    mapping = json.loads(sys.stdin.buffer.readline())
    try:
        lines = _found(sys.stdin.buffer.read(), mapping)
    except NotTaken as refusal:
        lines = [_line({"refused": refusal.code, "places": refusal.places})]
    except (MemoryError, RecursionError):
        lines = [_line({"refused": "too_many_cells", "places": {"most": MOST_CELLS}})]
    sys.stdout.buffer.write(b"\n".join(lines))
    sys.stdout.buffer.flush()


def _found(content: bytes, mapping: dict[str, str]) -> list[bytes]:
    found = sheet.read(content, mapping)
    lines = [_line({"headings": found.headings, "outside": found.outside})]
    written = 0
    for row in found.rows:
        lines.append(_line(row))
        written += len(lines[-1])
        if written > MOST_WRITTEN:
            raise NotTaken("too_many_cells", most=MOST_CELLS)
    return lines


def _line(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


if __name__ == "__main__":
    main()
