"""One example event of every type, from `schemas/examples/TYPE.json`, with its sealed part in clear beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("examples")


@cache
def _text(type_: str) -> str:
    return (FOLDER / f"{type_}.json").read_text("utf-8")


def example(type_: str) -> dict[str, Any]:
    """`{"event": the event on the wire, "unsealed": its sealed part in clear or null}`. Raises FileNotFoundError."""
    found: dict[str, Any] = json.loads(_text(type_))
    return found


class _Parts(Mapping[str, dict[str, Any]]):
    """A part of the examples, by type."""

    def __init__(self, part: Callable[[dict[str, Any]], dict[str, Any] | None]) -> None:
        self._part = part

    def __getitem__(self, type_: str) -> dict[str, Any]:
        part = self._part(example(type_)) if (FOLDER / f"{type_}.json").exists() else None
        if part is None:
            raise KeyError(type_)
        return part

    def __iter__(self) -> Iterator[str]:
        return (path.stem for path in sorted(FOLDER.glob("*.json")) if self._part(example(path.stem)) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)


DATA: Mapping[str, dict[str, Any]] = _Parts(
    lambda found: {name: value for name, value in found["event"]["data"].items() if name != "sealed"}
)
"""Type → the open part of its data."""
SEALED: Mapping[str, dict[str, Any]] = _Parts(lambda found: found["unsealed"])
"""Type → its sealed part in clear, for the types that have one."""
