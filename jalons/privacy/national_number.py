"""National register numbers are refused on input, in every free string."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import date, datetime
from uuid import UUID

from stdnum.be import ssn

_CHAIN = re.compile(r"[0-9]+(?:[^0-9A-Za-z]{1,2}[0-9]+)*")
"""Groups of digits with one or two characters between them that are neither digits nor letters."""
_GROUP = re.compile(r"[0-9]+")
_TELEPHONE = re.compile(r"\+(?:3[1-3]|49|352)")
"""A mobile number with the country code of Belgium or one of its neighbours has eleven digits too, and its third and
fourth digit look like the month of a bis number."""
_HOURS = re.compile(r"(?:(?:^|[^0-9A-Za-z]{1,2})(?:[01]?[0-9]|2[0-3])[.:][0-5][0-9])+")
"""Times of a day and nothing else, such as `9:00-12:00, 13:00`."""
_UUID = re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![0-9A-Za-z])", re.I)
_DIGITS = 11
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def holds_national_number(text: str) -> bool:
    """Whether a text holds a national register number, whatever its spelling.

    It is eleven digits of any script, in a row or with one or two characters between them, that have a plausible date
    (also of a bis number) and a check number that is right for either century. Groups of digits are taken whole: twelve
    digits in a row hold no number of eleven.

    A UUID within the text is left out: its digits mean nothing.
    """
    if len(text) < _DIGITS:
        return False
    return any(_in_chain(chain) for plain in _readings(text) for chain in _CHAIN.finditer(_UUID.sub("x", plain)))


def _readings(text: str) -> set[str]:
    """A text with its compatibility forms resolved and every decimal digit as 0 to 9: as it is, and as it looks without
    its invisible characters."""
    if text.isascii():
        return {text}
    resolved = unicodedata.normalize("NFKC", text)
    plain = [str(unicodedata.decimal(c)) if c.isdecimal() else "x" if c.isalpha() else c for c in resolved]
    return {"".join(plain), "".join(c for c in plain if unicodedata.category(c) != "Cf")}


def _in_chain(chain: re.Match[str]) -> bool:
    """Whether successive groups of a chain make up a national number."""
    if len(chain[0]) < _DIGITS or _HOURS.fullmatch(chain[0]):
        return False
    groups = list(_GROUP.finditer(chain[0]))
    for first, begin in enumerate(groups):
        digits = ""
        for group in groups[first:]:
            digits += group[0]
            if len(digits) >= _DIGITS:
                break
        at = chain.start() + begin.start()
        abroad = at > 0 and _TELEPHONE.match(chain.string, at - 1)
        if len(digits) == _DIGITS and not abroad and _plausible(digits):
            return True
    return False


def _plausible(number: str) -> bool:
    """Days over 31 do not occur; 00 and days that a month does not have do, once a day's numbers are used up."""
    return int(number[4:6]) <= 31 and ssn.is_valid(number)


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
