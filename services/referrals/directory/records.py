"""A row of the directory as an answer: its version is its ETag."""

from __future__ import annotations

from typing import Any

from services.referrals import refusals
from services.referrals.calls.edge import Answer


def record(row: dict[str, Any], status: int = 200) -> Answer:
    """A row that is there."""
    return Answer(row, status, version=row["version"])


def written(row: dict[str, Any], is_new: bool) -> Answer:
    """What a PUT came to."""
    return record(row, 201 if is_new else 200)


def found(what: str, row: dict[str, Any] | None) -> Answer:
    """A row that was asked for. Raises Problem 404."""
    if row is None:
        raise refusals.not_found(what)
    return record(row)
