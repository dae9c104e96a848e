"""Privacy's tables as SQL, for a service's first migration; a test compares them with `tables.py`."""

from __future__ import annotations

from pathlib import Path


def audit() -> str:
    """The audit. A trigger holds it append-only: a service owns its tables, so a right would not hold it."""
    return Path(__file__).with_name("audit.sql").read_text("utf-8")


def forgotten() -> str:
    """The erasures that a service has applied."""
    return Path(__file__).with_name("forgotten.sql").read_text("utf-8")
