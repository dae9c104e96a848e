"""Messaging's tables as SQL, for a service's first migration; a test compares them with `tables.py`."""

from __future__ import annotations

from pathlib import Path


def first() -> str:
    """The statements that create them."""
    return Path(__file__).with_suffix(".sql").read_text("utf-8")
