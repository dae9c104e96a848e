"""What stays of an act for its other party when the person is erased: its state and dates, nothing about the person."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from dateutil.relativedelta import relativedelta

KEPT = (
    *("recipient_kind", "offer_type", "offer", "legal_employer", "contact", "place", "trial"),
    *("sent_at", "reply_by", "first_contact_on", "planned_start", "planned_end", "started_on", "ended_on"),
)
"""The facts that stay: those that were never sealed on the bus. Every other fact goes, so a new one goes by default.
Ids of other acts go too, so that nothing joins the acts of one person."""

RETENTION_MONTHS = 24
"""How long a record is kept after the person left, unless a convention in force says otherwise."""


def without_person(facts: Mapping[str, Any]) -> dict[str, Any]:
    """An act's facts once its person is erased."""
    return {name: value for name, value in facts.items() if name in KEPT} | {"erased": True}


def kept_until(left_on: date, months: int) -> date:
    """Last day on which the record of a person who left may be kept: the same day `months` later, or the last day of
    a shorter month."""
    return left_on + relativedelta(months=months)


def due(left_on: date, months: int, today: date) -> bool:
    """Whether the record of a person who left is to be erased."""
    return today > kept_until(left_on, months)
