"""What moving the clock answers."""

from __future__ import annotations

from datetime import datetime

from typing_extensions import TypedDict

from jalons.web.answers import Answers


class ClockMoved(TypedDict):
    """The hub's time now."""

    now: datetime


ANSWERS: Answers = {("POST", "/test/clock"): ClockMoved}
