"""A record is valid from its first day to its last, both included; without one it is open on that side."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any


def valid(record: Mapping[str, Any], on: date) -> bool:
    """Whether a partner or an offer is valid on a day. record: with valid_from and valid_to, dates or None."""
    first, last = record["valid_from"], record["valid_to"]
    return (first is None or first <= on) and (last is None or on <= last)
