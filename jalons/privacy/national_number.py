"""A national register number is refused at the door, wherever a free string could carry it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime
from uuid import UUID

from stdnum.be import ssn

_SHAPE = r"\d{2}[ .]?\d{2}[ .]?\d{2}[ -]?\d{3}[ .]?\d{2}(?!\d)"
_TELEPHONE = r"(?<=\+)(?:3[1-3]|49|352)"
_ELEVEN = re.compile(rf"(?<!\d)(?!{_TELEPHONE})(?=({_SHAPE}))", re.ASCII)
"""Looked ahead for, so that digits standing before a number cannot hide it. A mobile number with the country's code
(Belgium's and its neighbours') has eleven digits too, and its third and fourth read as a bis number's month."""
_DIGITS = 11
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def holds_national_number(text: str) -> bool:
    """Whether a text holds eleven digits, bare or as NN.NN.NN-NNN.NN, with a plausible date (also of a bis number)
    and a check that is right for either century."""
    return len(text) >= _DIGITS and any(_plausible(found.group(1)) for found in _ELEVEN.finditer(text))


def _plausible(number: str) -> bool:
    """A day over 31 is none; 00 and the days that a month does not have are given out when a day is full."""
    return int(ssn.compact(number)[4:6]) <= 31 and ssn.is_valid(number)


def holds_control_character(text: str) -> bool:
    """Whether a text holds a character that breaks logs, mails or CSV: a line break or a tab, or half of a
    surrogate pair, which no encoding can carry."""
    return _CONTROL.search(text) is not None


def is_uuid(text: str) -> bool:
    """Whether a text is a UUID as it is usually written: the one kind of text in which eleven digits mean nothing."""
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def free_strings(value: object) -> Iterator[str]:
    """Every string leaf of a parsed body, keys of mappings included, however deep. UUIDs, dates and numbers are exempt:
    one UUID in 12 000 holds eleven digits that pass the check."""
    left: list[object] = [value]
    while left:
        item = left.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, bytes):
            yield item.decode(errors="replace")
        elif isinstance(item, UUID | datetime | date):
            continue
        elif isinstance(item, dict):
            left += [*map(str, item), *item.values()]
        elif isinstance(item, list | tuple | set | frozenset):
            left += item
