"""What covers a party of an act: the person's agreement for its purpose, and the convention that carries the act."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from services.referrals.agreements.rules import Consent, Convention


@dataclass(frozen=True, slots=True)
class Need:
    """What one party of an act needs. purposes: of which the person must have agreed to one. sender: the partner from
    which a convention must lead to it; None if none is needed. moment: for which; None for any."""

    partner: str
    purposes: frozenset[str]
    sender: str | None = None
    moment: str | None = None

    def agreed(self, consents: Iterable[Consent], conventions: Iterable[Convention], on: date) -> bool:
        """Whether an agreement covers it."""
        known = list(conventions)
        return any(c.covers(self.partner, purpose, on, known) for c in consents for purpose in self.purposes)

    def carried(self, conventions: Iterable[Convention], on: date) -> bool:
        """Whether a convention carries it."""
        if self.sender is None:
            return True
        if self.moment is None:
            return any(c.joins(self.sender, self.partner, on) for c in conventions)
        return any(c.covers(self.sender, self.partner, self.moment, on) for c in conventions)


@dataclass(frozen=True, slots=True)
class Grounds:
    """What decides on a day: the standing agreements of each person, and the signed conventions."""

    consents: dict[UUID, list[Consent]]
    conventions: Collection[Convention]
    on: date

    def uncovered(self, ref: UUID, needs: Iterable[Need]) -> tuple[str, ...]:
        """The parties that an agreement or a convention does not cover, sorted."""
        agreed_to = self.consents.get(ref, [])
        lacking = (
            need.partner
            for need in needs
            if not need.carried(self.conventions, self.on) or not need.agreed(agreed_to, self.conventions, self.on)
        )
        return tuple(sorted(set(lacking)))


def is_persons_word(need: Need, newest_first: Iterable[Any]) -> bool:
    """Whether it is the person who ended what covered a party: the newest agreement that names it was withdrawn.

    newest_first: the person's agreements, ended ones included, each with `consent` (its convention's parties among its
    partners) and `withdrawn`. Without any there is no agreement, so nothing to wait for.
    """
    for each in newest_first:
        if need.partner in each.consent.partners and not need.purposes.isdisjoint(each.consent.purposes):
            return bool(each.withdrawn)
    return True
