"""Loads the partners of an exchange, and their conventions, for the rule that decides it: `agreements/exchange.py`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

from sqlalchemy import Connection

from services.referrals import refusals
from services.referrals.agreements.exchange import Exchange, Party, check_active
from services.referrals.directory import rows as directory
from services.referrals.directory.rules import valid
from services.referrals.work import Work


def active_parties(work: Work, named: Mapping[str, str]) -> dict[str, Party]:
    """Partners that are active today, by slug. named: slugs by the field of the call that names them.

    Raises NotActive, and Problem 422 for an unknown partner.
    """
    rows = directory.partners_of(work.conn, set(named.values()))
    for field, slug in named.items():
        if slug not in rows:
            raise refusals.unknown_partner(field)
        check_active([_party(rows[slug], work.call.today)])
    return {slug: _party(row, work.call.today) for slug, row in rows.items()}


def acting_party(work: Work) -> Party:
    """The calling partner. Raises NotActive, and Problem 422 if the directory does not have it."""
    return active_parties(work, {"partner": work.call.partner})[work.call.partner]


def exchange(work: Work, sender: str, recipient: str, field: str = "recipient") -> Exchange:
    """What decides whether a partner may send to another. field: where the call names the recipient.

    Raises NotActive, and Problem 422 for an unknown partner.
    """
    parties = active_parties(work, {"partner": sender, field: recipient})
    conventions = directory.signed_of(work.conn, sender, recipient)
    return Exchange(parties[sender], parties[recipient], tuple(conventions), work.call.today)


def exchanges(conn: Connection, sender: str, recipients: Collection[str], on: date) -> dict[str, Exchange]:
    """The exchanges of one partner with others, by recipient; those the directory does not have are left out."""
    rows = directory.partners_of(conn, {sender, *recipients})
    conventions = tuple(directory.signed_of(conn, sender))
    parties = {slug: _party(row, on) for slug, row in rows.items()}
    known = (parties[slug] for slug in recipients if slug in parties)
    return {each.slug: Exchange(parties[sender], each, conventions, on) for each in known}


def _party(row: Mapping[str, Any], on: date) -> Party:
    active = row["status"] == "active" and valid(row, on)
    return Party(row["slug"], row["kind"], row["secrecy_class"], active, row["trial"])
