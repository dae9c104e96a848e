"""Request bodies of the test clock."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, Field

from services.referrals.calls.bodies import Body

_LAST = datetime(2100, 1, 1, tzinfo=UTC)


class ClockBody(Body):
    """`POST /test/clock`."""

    now: Annotated[AwareDatetime, Field(lt=_LAST)]


EXAMPLES: dict[tuple[str, str], Any] = {
    ("POST", "/test/clock"): {"now": "2026-12-01T08:00:00+01:00"},
}
