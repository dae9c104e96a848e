"""A chain of redirects is short and never returns to a partner; when one alternative starts, the others lapse."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from services.referrals.acts.rules import Referral

MOST_LINKS = 5
"""How often a referral may be redirected; after that, people have to talk to each other."""

_OPEN = frozenset({"sent", "received", "waitlisted", "accepted"})
_BEGUN = frozenset({"started", "completed"})


class ComesBack(Exception):
    """The chain of redirects has been at this partner before."""


class ChainTooLong(Exception):
    """The chain of redirects has MOST_LINKS links."""


class Followed(Exception):
    """The end cannot be taken back: another referral follows from it, or an alternative has started."""


def been_to(referral: Referral) -> list[str]:
    """The recipients of a referral's chain, oldest first, its own last."""
    return [*referral.facts.get("earlier_recipients", ()), referral.recipient]


def check_chain(old: Referral, recipient: str) -> None:
    """Check that a referral may be redirected to a recipient. Raises ComesBack and ChainTooLong."""
    known = been_to(old)
    if recipient in known:
        raise ComesBack
    if len(known) > MOST_LINKS:
        raise ChainTooLong


def chained(old: Referral, recipient: str) -> dict[str, Any]:
    """The facts that make a new referral the next link of a chain. Raises ComesBack and ChainTooLong."""
    check_chain(old, recipient)
    return {"parent": str(old.id), "earlier_recipients": been_to(old)}


def alternatives(of: UUID, referrals: Iterable[Referral]) -> list[Referral]:
    """The alternatives of one of a person's referrals, without itself: those that `alternative_to` joins with it,
    directly or through others, and those to which they were redirected."""
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
    """The alternatives that lapse because a referral started, in the order given."""
    return [each for each in alternatives(started, referrals) if each.status in _OPEN]


def check_nothing_followed(ended: Referral, referrals: Iterable[Referral]) -> None:
    """Check that the author of an end may take it back. Raises Followed."""
    known = [each for each in referrals if each.status != "voided"]
    follows = any(each.facts.get("follows") == str(ended.id) for each in known)
    if follows or any(each.status in _BEGUN for each in alternatives(ended.id, known)):
        raise Followed
