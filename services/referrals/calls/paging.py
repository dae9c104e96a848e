"""Lists are paged by a cursor that is opaque to the caller: where the last page ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query

from services.referrals.calls.edge import Answer

Cursor = Annotated[str | None, Query(max_length=100, description="`next` of the page before")]
Limit = Annotated[int, Query(ge=1, le=500)]
NEWEST = UUID(int=2**128 - 1)
"""Where a list of ids begins that is read newest first."""


def paged(rows: Sequence[dict[str, Any]], limit: int, cursor_of: Callable[[dict[str, Any]], str]) -> Answer:
    """A page; `next` is absent on the last one."""
    body: dict[str, Any] = {"items": list(rows)}
    if len(rows) == limit:
        body["next"] = cursor_of(rows[-1])
    return Answer(body)
