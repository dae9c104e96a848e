"""A national register number is refused at the door, wherever a free string could carry it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime
from uuid import UUID

from stdnum.be import ssn

_ELEVEN = re.compile(r"(?<!\d)\d{2}[ .]?\d{2}[ .]?\d{2}[ -]?\d{3}[ .]?\d{2}(?!\d)")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x85\u2028\u2029]")


def holds_national_number(text: str) -> bool:
    """Whether a text holds eleven digits, bare or as NN.NN.NN-NNN.NN, with a plausible date (also of a bis number)
    and a check that is right for either century."""
    return any(ssn.is_valid(found.group()) for found in _ELEVEN.finditer(text))


def holds_control_character(text: str) -> bool:
    """Whether a text holds a character that no keyboard types and that breaks logs, mails or CSV."""
    return _CONTROL.search(text) is not None


def free_strings(value: object, at: str = "") -> Iterator[tuple[str, str]]:
    """Every (path, string) leaf of a parsed body, keys of mappings included. UUIDs, dates and numbers are exempt:
    one UUID in 12 000 holds eleven digits that pass the check."""
    if isinstance(value, str):
        yield at, value
    elif isinstance(value, UUID | datetime | date):
        return
    elif isinstance(value, dict):
        for key, item in value.items():
            yield f"{at}.(key)", str(key)
            yield from free_strings(item, f"{at}.{key}" if at else str(key))
    elif isinstance(value, list | tuple | set | frozenset):
        for number, item in enumerate(value):
            yield from free_strings(item, f"{at}[{number}]")
