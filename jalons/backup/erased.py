"""The refs of erased persons, in a file beside the backups that only grows: a restored database is held against it.

A ref is a random id that leads to nobody; only a backup made before the erasure still knows whose it was.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

NAME = "erased.txt"


class ErasedList:
    """The file `erased.txt` in the folder of the backups, one ref a line."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME

    def refs(self) -> set[UUID]:
        """Every ref in the file. A last line that a crash cut short is not one."""
        try:
            lines = self.path.read_text("ascii").split("\n")[:-1]
        except FileNotFoundError:
            return set()
        return {UUID(line) for line in lines if len(line) == len(str(UUID(int=0)))}

    def add(self, refs: Iterable[UUID]) -> None:
        """Append those that are missing; returns when they are on the disk."""
        missing = sorted(set(refs) - self.refs())
        if not missing:
            return
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600), "rb+") as file:
            if file.seek(0, os.SEEK_END) and _cut_short(file):
                file.write(b"\n")
            file.write("".join(f"{ref}\n" for ref in missing).encode("ascii"))
            file.flush()
            os.fsync(file.fileno())


def _cut_short(file: object) -> bool:
    file.seek(-1, os.SEEK_END)  # type: ignore[attr-defined]
    return bool(file.read(1) != b"\n")  # type: ignore[attr-defined]
