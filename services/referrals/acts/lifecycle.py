"""Life cycles as tables: who may do what, from which status, and what must be given (domain.md, section 4)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, get_args

from schemas.codes import ReferralStatus

STAYS = "stays"
"""The target of an act that changes no status."""
BEFORE = "before"
"""The target of an act that takes the last one back: the status that one left."""


class Office(StrEnum):
    """Who acts without being a party; the value is the role in the tables. No partner can be taken for one: they are
    told by type."""

    HUB = "hub"
    COORDINATOR = "coordinator"


HUB = Office.HUB
AUTHOR = "author"
"""The role of whoever did the last act; the receiver's too when the referrer recorded it in the receiver's place."""


@dataclass(frozen=True, slots=True)
class Transition:
    """One row. source: empty where a life begins. target: a status, STAYS or BEFORE. by: the roles that may do it.

    must_give: what the caller has to say with it; `a|b` asks for one of them. reported: the referrer may record it in
    the receiver's place, saying so (`reported_by`). within: for AUTHOR, so many working days after the last act. Who is
    told of it is in `schemas/routing.py`, by its event (`sayings.EVENTS`).
    """

    action: str
    source: frozenset[str]
    target: str
    by: frozenset[str]
    must_give: frozenset[str] = frozenset()
    reported: bool = False
    within: int | None = None

    def open_to(self, status: str, roles: Collection[str], *, reporting: bool = False) -> bool:
        """Whether these roles may do it in this status; reporting: in the receiver's place."""
        allowed = self.reported and "referrer" in roles if reporting else not self.by.isdisjoint(roles)
        return status in self.source and allowed

    def missing(self, given: Mapping[str, Any], spared: str | None = None) -> list[str]:
        """What it asks for and was not said. spared: a field that need not be given this time."""
        asked = {field: field.split("|") for field in self.must_give - {spared}}
        return sorted(
            " or ".join(choice) for choice in asked.values() if all(given.get(name) is None for name in choice)
        )


Table = tuple[Transition, ...]


def _row(
    action: str,
    source: str,
    target: str,
    by: str,
    must_give: str = "",
    *,
    reported: bool = False,
    within: int | None = None,
) -> Transition:
    columns = (frozenset(source.split()), target, frozenset(by.split()), frozenset(must_give.split()))
    return Transition(action, *columns, reported, within)


_UNANSWERED = "sent received"
_NOT_TAKEN = "sent received waitlisted"
_ELSEWHERE = "sent received waitlisted declined expired"
_SENSE = "goal chosen_by"
_ANY = " ".join(set(get_args(ReferralStatus)) - {"voided"})

REFERRAL: Table = (
    #    action       from                            to            by            must give      told
    _row("send", "", "sent", "referrer", f"recipient|offer moment reason contact {_SENSE}"),
    _row("receive", "sent", "received", "recipient", reported=True),
    _row("accept", _NOT_TAKEN, "accepted", "recipient", "first_contact_on", reported=True),
    _row("waitlist", _UNANSWERED, "waitlisted", "recipient", "rank|expected_on", reported=True),
    _row("decline", _NOT_TAKEN, "declined", "recipient", "reason declined_by", reported=True),
    _row("redirect", _ELSEWHERE, "redirected", "referrer", "recipient|offer"),
    _row("cancel", f"{_NOT_TAKEN} accepted", "cancelled", "referrer", "reason"),
    _row("lapse", f"{_NOT_TAKEN} accepted", "cancelled", "hub"),
    _row("start", "accepted", "started", "recipient", "started_on", reported=True),
    _row("complete", "started", "completed", "recipient", "outcome", reported=True),
    _row("interrupt", "accepted started", "interrupted", "recipient referrer", "reason", reported=True),
    _row("expire", _UNANSWERED, "expired", "hub"),
    _row("expire", "waitlisted", "expired", "hub"),
    _row("reopen", "declined interrupted completed", BEFORE, f"{AUTHOR} coordinator", "reason", within=2),
    _row("suggest", _ELSEWHERE, STAYS, "coordinator", "offer"),
    _row("void", _ANY, "voided", "referrer coordinator", "reason"),
)
"""`lapse`: an alternative was taken up. `expire`: 30 days without an answer; waitlisted, after two silences."""

TRAINING: Table = (
    _row("enrol", "", "enrolled", "operator home", f"kind planned_start {_SENSE}"),
    _row("start", "enrolled", "started", "operator", "started_on"),
    _row("attendance-falling", "started", STAYS, "operator"),
    _row("suspend", "started", "suspended", "operator"),
    _row("resume", "suspended", "started", "operator"),
    _row("complete", "started", "completed", "operator", "outcome hours_done"),
    _row("interrupt", "started suspended", "interrupted", "operator home", "reason"),
    _row("cancel", "enrolled", "cancelled", "operator home", "reason"),
)

PLACEMENT: Table = (
    _row("propose", "", "proposed", "proposer", f"employer kind planned_start {_SENSE}"),
    _row("confirm", "proposed", "confirmed", "employer"),
    _row("refuse", "proposed", "refused", "employer", "reason"),
    _row("start", "confirmed", "started", "employer proposer", "started_on"),
    _row("cancel", "proposed", "cancelled", "proposer", "reason"),
    _row("cancel", "confirmed", "cancelled", "employer proposer", "reason"),
    _row("evaluate", "started ended", STAYS, "employer proposer"),
    _row("end", "started", "ended", "employer proposer", "ended_on reason"),
    _row("follow-up", "ended", STAYS, "proposer home", "months situation"),
)
"""`follow-up`: 3, 6 and 12 months after the end, once each."""


class NotAllowed(Exception):
    """The table has no such row for this status and these roles. open: the actions it does have."""

    def __init__(self, action: str, status: str, open_actions: list[str]) -> None:
        super().__init__(action)
        self.action = action
        self.status = status
        self.open = open_actions


class NotGiven(Exception):
    """Something the row asks for was not said. missing: the fields' names, `a or b` where one of them would do."""

    def __init__(self, missing: list[str]) -> None:
        super().__init__(", ".join(missing))
        self.missing = missing


def begin(table: Table, given: Mapping[str, Any]) -> str:
    """The status in which a life begins. Raises NotGiven."""
    row = next(row for row in table if not row.source)
    if missing := row.missing(given):
        raise NotGiven(missing)
    return row.target


def open_actions(table: Table, status: str, roles: Collection[str]) -> list[str]:
    """What these roles may do now."""
    return [row.action for row in table if row.open_to(status, roles)]


AFTERWARDS = frozenset({"reopen", "void", "suggest", "redirect", "evaluate"})
"""Acts that take back what is over or add to it: as long as only they are left, it is over."""


def is_over(table: Table, status: str, roles: Collection[str], done: Collection[str] = ()) -> bool:
    """Whether these roles have nothing more to do, now or after whatever the others may still do. done: actions that
    were all that they can be."""
    rows = [row for row in table if row.action not in {*AFTERWARDS, *done}]
    reached, before = {status}, set[str]()
    while reached != before:
        before = set(reached)
        reached |= {row.target for row in rows if row.source & before}
    return not any(row.source & reached and not row.by.isdisjoint(roles) for row in rows)


def step(
    table: Table, action: str, status: str, roles: Collection[str], given: Mapping[str, Any], spared: str | None = None
) -> Transition:
    """The row that applies. spared: a field that need not be given this time. Raises NotAllowed and NotGiven."""
    reporting = given.get("reported_by") == "referrer"
    allowed = [row for row in table if row.action == action and row.open_to(status, roles, reporting=reporting)]
    if not allowed:
        raise NotAllowed(action, status, open_actions(table, status, roles))
    if missing := allowed[0].missing(given, spared):
        raise NotGiven(missing)
    return allowed[0]
