"""A chain of redirects is short and never comes back; of alternatives, the first that starts lets the others lapse."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from services.referrals.acts.rules import Referral

MOST_LINKS = 5
"""So many times is a referral redirected; after that somebody should talk to somebody."""

_OPEN = frozenset({"sent", "received", "waitlisted", "accepted"})
_TAKEN_UP = frozenset({"started", "completed"})


class ComesBack(Exception):
    """The chain of redirects has been to this partner already."""


class ChainTooLong(Exception):
    """The chain of redirects has MOST_LINKS links."""


class Followed(Exception):
    """Something was built on an end: another referral follows from it, or an alternative was taken up."""


def been_to(referral: Referral) -> list[str]:
    """The recipients of its chain, oldest first, its own last."""
    return [*referral.facts.get("earlier_recipients", ()), referral.recipient]


def check_chain(old: Referral, recipient: str) -> None:
    """Whether it may go on to a recipient. Raises ComesBack and ChainTooLong."""
    known = been_to(old)
    if recipient in known:
        raise ComesBack
    if len(known) > MOST_LINKS:
        raise ChainTooLong


def chained(old: Referral, recipient: str) -> dict[str, Any]:
    """The facts by which a new referral is the next link. Raises ComesBack and ChainTooLong."""
    check_chain(old, recipient)
    return {"parent": str(old.id), "earlier_recipients": been_to(old)}


def alternatives(of: UUID, referrals: Iterable[Referral]) -> list[Referral]:
    """The alternatives of one referral among a person's, itself left out: whatever `alternative_to` joins, through
    those that were redirected too."""
    known = list(referrals)
    joined = [
        {str(each.id), str(each.facts[link])}
        for each in known
        for link in ("alternative_to", "parent")
        if each.facts.get(link)
    ]
    found = {str(of)}
    for _ in known:
        found = found.union(*(pair for pair in joined if pair & found))
    return [each for each in known if str(each.id) in found and each.id != of]


def lapsing(started: UUID, referrals: Iterable[Referral]) -> list[Referral]:
    """Those that lapse when one of them has started, in the order of their ids."""
    return sorted((each for each in alternatives(started, referrals) if each.status in _OPEN), key=lambda each: each.id)


def check_nothing_followed(ended: Referral, referrals: Iterable[Referral]) -> None:
    """Whether an end may be taken back by who said it. Raises Followed."""
    known = [each for each in referrals if each.status != "voided"]
    follows = any(each.facts.get("follows") == str(ended.id) for each in known)
    if follows or any(each.status in _TAKEN_UP for each in alternatives(ended.id, known)):
        raise Followed
