"""The order of dates, one rule for every act: not before what it follows, over five years back, nor after today.

What is planned lies between five working days before and three years after the day on which the act happened, so that
a story may be told afterwards: each act is dated on its own day, whenever it is recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

from dateutil.relativedelta import relativedelta

from services.referrals.deadlines.working_days import before_working_days

HAPPENED = ("happened_on", "started_on", "ended_on", "on")
"""Fields that say when something happened. `happened_on`: the act itself, if not on the day of the others, or today."""
PLANNED = ("first_contact_on", "expected_on", "planned_start", "planned_end")
"""Fields that say when something is to happen."""
YEARS_BACK = 5
WORKING_DAYS_BACK = 5
"""How long before an act what it plans may lie: an answer is written down some days after it was given."""
YEARS_AHEAD = 3

Wrong = Literal["future", "too_old", "before_followed", "after_act", "too_early", "too_late", "before_start"]


class OutOfOrder(Exception):
    """A date that cannot be. field: where the call gives it. bound: the first or last day that would do."""

    def __init__(self, field: str, wrong: Wrong, bound: date) -> None:
        super().__init__(field, wrong, bound)
        self.field = field
        self.wrong: Wrong = wrong
        self.bound = bound


def in_order(given: Mapping[str, Any], today: date, after: date | None = None, on: date | None = None) -> date:
    """The day on which an act happened, once all its dates are in order. given: the fields of its call.

    after: the day of what it follows. on: its day where the call does not say it; None: today. Raises OutOfOrder.
    """
    days = {name: given[name] for name in HAPPENED if given.get(name) is not None}
    happened: date = next(iter(days.values()), None) or on or today
    field = next(iter(days), "happened_on")
    for name, day in (days or {field: happened}).items():
        check_happened(name, day, today, after)
        if day > happened:
            raise OutOfOrder(name, "after_act", happened)
    for name in PLANNED:
        if given.get(name) is not None:
            _check_planned(name, given[name], happened)
    start, end = given.get("planned_start"), given.get("planned_end")
    if start and end and end < start:
        raise OutOfOrder("planned_end", "before_start", start)
    return happened


def check_happened(field: str, day: date, today: date, after: date | None = None) -> None:
    """Check the day of something that happened. after: the day of what it follows. Raises OutOfOrder."""
    if day > today:
        raise OutOfOrder(field, "future", today)
    oldest = today - relativedelta(years=YEARS_BACK)
    if day < oldest:
        raise OutOfOrder(field, "too_old", oldest)
    if after and day < after:
        raise OutOfOrder(field, "before_followed", after)


def on_planned_start(given: Mapping[str, Any], today: date) -> date:
    """The day of an enrolment or a proposal that does not say its own: a planned start that is past, else today."""
    start: date = given["planned_start"]
    return min(today, start)


def _check_planned(field: str, day: date, happened: date) -> None:
    first, last = before_working_days(happened, WORKING_DAYS_BACK), happened + relativedelta(years=YEARS_AHEAD)
    if day < first:
        raise OutOfOrder(field, "too_early", first)
    if day > last:
        raise OutOfOrder(field, "too_late", last)
