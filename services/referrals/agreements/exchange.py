"""Who may send a person to whom: two active partners, both on trial or neither, under a convention in force."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from services.referrals.agreements.rules import Convention, NoConvention, covering


@dataclass(frozen=True, slots=True)
class Party:
    """A partner on the day of an exchange. active: it is active in the network, and the day is within its dates."""

    slug: str
    kind: str
    secrecy_class: str
    active: bool
    trial: bool

    @property
    def purpose(self) -> str:
        """The purpose for which the person must have agreed that this partner is told."""
        return "employer" if self.kind == "employer" else "referral"


class NotActive(Exception):
    """A partner neither sends nor receives on that day. partner: its slug."""

    def __init__(self, partner: str) -> None:
        super().__init__(partner)
        self.partner = partner


class TrialOnly(Exception):
    """One partner is on trial and the other is not."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """Two partners on a day, and the signed conventions to which both are parties, oldest first."""

    sender: Party
    recipient: Party
    conventions: tuple[Convention, ...]
    on: date

    @property
    def trial(self) -> bool:
        """Whether what they exchange is a trial record."""
        return self.sender.trial


def check_active(parties: Iterable[Party]) -> None:
    """Raises NotActive for the first party that is not active."""
    for party in parties:
        if not party.active:
            raise NotActive(party.slug)


def check_exchange(exchange: Exchange) -> None:
    """Whether two partners may tell each other of a person at all. Raises NotActive and TrialOnly."""
    check_active((exchange.sender, exchange.recipient))
    if exchange.sender.trial != exchange.recipient.trial:
        raise TrialOnly


def may_send(exchange: Exchange, moment: str) -> Convention:
    """The convention under which the sender may send a person to the recipient for a moment.

    Raises NotActive, TrialOnly and NoConvention.
    """
    check_exchange(exchange)
    return covering(exchange.conventions, exchange.sender.slug, exchange.recipient.slug, moment, exchange.on)


def is_allowed(exchange: Exchange, moment: str) -> bool:
    """Whether `may_send` finds a convention."""
    try:
        may_send(exchange, moment)
    except (NotActive, TrialOnly, NoConvention):
        return False
    return True
