"""What of an act stays for the counterpart when the person is erased: its state and its dates, nothing about them."""

from __future__ import annotations

from datetime import date

from dateutil.relativedelta import relativedelta

KEPT = (
    *("recipient_kind", "offer_type", "offer", "legal_employer", "contact", "place", "trial"),
    *("sent_at", "reply_by", "first_contact_on", "planned_start", "planned_end", "started_on", "ended_on"),
)
"""The facts that stay. They stood in clear on the bus already; what is not named here goes, whatever comes to be added.
Ids of other acts go as well: nothing joins what was one person's."""

RETENTION_MONTHS = 24
"""From leaving, where no convention in force says otherwise."""


def kept_until(left_on: date, months: int) -> date:
    """Last day on which the record of a person who left may be kept: the same day `months` later, or the last day of
    a shorter month."""
    return left_on + relativedelta(months=months)


def due(left_on: date, months: int, today: date) -> bool:
    """Whether a person who left is to be erased."""
    return today > kept_until(left_on, months)
