"""A partner's file is read in a process of its own; here arrive its rows, or the reason why it is not taken."""

from __future__ import annotations

import json
from collections.abc import Mapping

from jalons.process.confined import Crowded, Died, Reader
from services.referrals.imports.sheet import Fault, NotTaken, Row, Sheet

MODULE = "services.referrals.imports.child"


class Files:
    """Reads files, one at a time in this process."""

    def __init__(self) -> None:
        self._reader = Reader(MODULE)

    async def read(self, content: bytes, mapping: Mapping[str, str]) -> bytes:
        """What `sheet` makes of the reading process's answer. Raises NotTaken."""
        try:
            return await self._reader.read(json.dumps(dict(mapping)).encode() + b"\n" + content)
        except Died:
            raise NotTaken("too_heavy") from None
        except Crowded:
            raise NotTaken("crowded") from None


def sheet(found: bytes) -> Sheet:
    """The table that the reading process found. Raises NotTaken."""
    first, *lines = found.split(b"\n")
    said = json.loads(first)
    if "refused" in said:
        raise NotTaken(said["refused"], **said["places"])
    rows = tuple(_row(*json.loads(line)) for line in lines)
    return Sheet(said["headings"], rows, tuple((number, column) for number, column in said["outside"]))


def _row(number: int, texts: dict[str, str], faults: list[tuple[str, str | None, dict[str, object]]]) -> Row:
    return Row(number, texts, tuple(Fault(*each) for each in faults))
