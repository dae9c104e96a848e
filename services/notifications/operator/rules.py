"""What the operator is told and when: a pure decision on what was said last and what holds now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Literal

from jalons.clock import BRUSSELS

HOLDS = timedelta(minutes=2)
"""A change that does not last this long is not told: a restart is none."""
WEEKLY_AT = time(8)
"""On Mondays, in Brussels."""

Kind = Literal["degraded", "well", "weekly"]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that does not work. part: its name in /health/ready, `service` if the service does not answer."""

    service: str
    part: str


@dataclass(frozen=True, slots=True)
class Told:
    """What the operator knows. degraded: whether they were told last that something does not work. changing: since when
    the opposite has held. week: the Monday of the last weekly mail."""

    degraded: bool = False
    changing: datetime | None = None
    week: date | None = None


def decide(told: Told, troubles: Sequence[Trouble], now: datetime) -> tuple[Told, Kind | None]:
    """What to remember, and the mail to send before it is remembered."""
    if bool(troubles) != told.degraded:
        since = told.changing or now
        if now - since < HOLDS:
            return replace(told, changing=since), None
        return replace(told, degraded=bool(troubles), changing=None), "degraded" if troubles else "well"
    told = replace(told, changing=None)
    week = _week(now)
    if told.week is None:
        return replace(told, week=week), None
    if week > told.week and not troubles:
        return replace(told, week=week), "weekly"
    return told, None


def _week(now: datetime) -> date:
    """The newest Monday whose hour of the weekly mail has come."""
    here = now.astimezone(BRUSSELS)
    monday = here.date() - timedelta(days=here.weekday())
    return monday if here >= datetime.combine(monday, WEEKLY_AT, BRUSSELS) else monday - timedelta(days=7)
