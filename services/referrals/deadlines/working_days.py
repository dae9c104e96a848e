"""Working days: neither weekends nor Belgian public holidays."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

import holidays


@lru_cache(maxsize=8)
def _closed(year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays("BE", years=year))


def is_working_day(day: date) -> bool:
    """Monday to Friday, not a public holiday of Belgium."""
    return day.weekday() < 5 and day not in _closed(day.year)


def after_working_days(start: date, days: int) -> date:
    """The working day that is `days` working days after a date."""
    day = start
    while days > 0:
        day += timedelta(days=1)
        if is_working_day(day):
            days -= 1
    return day


def before_working_days(end: date, days: int) -> date:
    """The working day that is `days` working days before a date."""
    day = end
    while days > 0:
        day -= timedelta(days=1)
        if is_working_day(day):
            days -= 1
    return day
