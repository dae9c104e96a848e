"""Life cycles as tables: who may do what, from which status, and what must be given (domain.md, section 4)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Transition:
    """One row. by: the roles that may do it; must_give: what the caller has to say with it."""

    action: str
    source: frozenset[str]
    target: str
    by: frozenset[str]
    must_give: frozenset[str] = frozenset()


Table = tuple[Transition, ...]

HUB = "hub"
"""Who acts when time does: a role of nobody else, and no partner's name."""


def _row(action: str, source: str, target: str, by: str, must_give: str = "") -> Transition:
    return Transition(action, frozenset(source.split()), target, frozenset(by.split()), frozenset(must_give.split()))


REFERRAL: Table = (
    #    action      from                        to           by          must give
    _row("receive", "sent", "received", "recipient"),
    _row("accept", "sent received waitlisted", "accepted", "recipient", "first_contact_on"),
    _row("decline", "sent received waitlisted", "declined", "recipient", "reason declined_by"),
    _row("start", "accepted", "started", "recipient", "started_on"),
    _row("complete", "started", "completed", "recipient", "outcome"),
    _row("expire", "sent received waitlisted", "expired", HUB),
)

TRAINING: Table = (
    _row("start", "enrolled", "started", "operator", "started_on"),
    _row("complete", "started", "completed", "operator", "outcome hours_done"),
)

PLACEMENT: Table = (
    _row("confirm", "proposed", "confirmed", "employer"),
    _row("start", "confirmed", "started", "employer proposer", "started_on"),
    _row("end", "started", "ended", "employer proposer", "ended_on reason"),
)


class NotAllowed(Exception):
    """The table has no such row for this status and these roles. open: the actions it does have."""

    def __init__(self, action: str, status: str, open_actions: list[str]) -> None:
        super().__init__(action)
        self.action = action
        self.status = status
        self.open = open_actions


class NotGiven(Exception):
    """Something the row asks for was not said. missing: the fields' names."""

    def __init__(self, missing: list[str]) -> None:
        super().__init__(", ".join(missing))
        self.missing = missing


def open_actions(table: Table, status: str, roles: Collection[str]) -> list[str]:
    """What these roles may do now."""
    return [row.action for row in table if status in row.source and not row.by.isdisjoint(roles)]


def step(
    table: Table, action: str, status: str, roles: Collection[str], given: Mapping[str, Any], spared: str | None = None
) -> Transition:
    """The row that applies. spared: a field that need not be given this time. Raises NotAllowed and NotGiven."""
    allowed = [row for row in table if row.action == action and status in row.source and not row.by.isdisjoint(roles)]
    if not allowed:
        raise NotAllowed(action, status, open_actions(table, status, roles))
    missing = sorted(field for field in allowed[0].must_give - {spared} if given.get(field) is None)
    if missing:
        raise NotGiven(missing)
    return allowed[0]
