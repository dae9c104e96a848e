"""National register numbers are refused on input, in every free string."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime
from uuid import UUID

from stdnum.be import ssn

_SHAPE = r"\d{2}[ .]?\d{2}[ .]?\d{2}[ -]?\d{3}[ .]?\d{2}(?!\d)"
_TELEPHONE = r"(?<=\+)(?:3[1-3]|49|352)"
_ELEVEN = re.compile(rf"(?<!\d)(?!{_TELEPHONE})(?=({_SHAPE}))", re.ASCII)
"""A lookahead, so that digits before a number cannot hide it. A mobile number with the country code of Belgium or one
of its neighbours has eleven digits too, and its third and fourth digit look like the month of a bis number."""
_DIGITS = 11
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def holds_national_number(text: str) -> bool:
    """Whether a text contains eleven digits, bare or as NN.NN.NN-NNN.NN, with a plausible date (also of a bis number)
    and a check number that is right for either century."""
    return len(text) >= _DIGITS and any(_plausible(found.group(1)) for found in _ELEVEN.finditer(text))


def _plausible(number: str) -> bool:
    """Days over 31 do not occur; 00 and days that a month does not have do, once a day's numbers are used up."""
    return int(ssn.compact(number)[4:6]) <= 31 and ssn.is_valid(number)


def holds_control_character(text: str) -> bool:
    """Whether a text contains a character that breaks logs, mails or CSV: a control character such as a line break or
    tab, or half of a surrogate pair, which cannot be encoded."""
    return _CONTROL.search(text) is not None


def is_uuid(text: str) -> bool:
    """Whether a text is a UUID in its usual form, in which eleven digits in a row mean nothing."""
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def free_strings(value: object) -> Iterator[str]:
    """Every string of a parsed body at any depth, keys included. UUIDs, dates and numbers are exempt: one UUID in
    12 000 contains eleven digits that pass the check."""
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
