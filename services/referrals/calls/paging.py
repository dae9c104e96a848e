"""Lists are paged by an opaque cursor, the end of the previous page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import Query

from services.referrals.calls.edge import Answer

Cursor = Annotated[str | None, Query(max_length=100, description="`next` of the page before")]
Limit = Annotated[int, Query(ge=1, le=500)]


def paged(rows: Sequence[dict[str, Any]], limit: int, cursor_of: Callable[[dict[str, Any]], str]) -> Answer:
    """A page of a list. `next`, the cursor of the next page, is absent if this one is not full."""
    body: dict[str, Any] = {"items": list(rows)}
    if len(rows) == limit:
        body["next"] = cursor_of(rows[-1])
    return Answer(body)
