"""Days counted from today, so that no test grows old: acts are refused once their dates lie too far off."""

from __future__ import annotations

from datetime import date, timedelta

from jalons.clock import local_date, now


def day(after: int = 0) -> str:
    """The day that is so many days after today in Brussels, as ISO text; before today if negative."""
    return (local_date(now()) + timedelta(days=after)).isoformat()


_DAYS = ["lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"]
_MONTHS = [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
]


def in_french(iso: str) -> str:
    """A day as pages and mails write it, « mardi 1er décembre 2026 »."""
    on = date.fromisoformat(iso)
    return f"{_DAYS[on.weekday()]} {'1er' if on.day == 1 else on.day} {_MONTHS[on.month - 1]} {on.year}"
