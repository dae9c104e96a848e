"""Each life cycle is a table: who may take which action from which status, and what it requires (domain.md, 4)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, get_args

from schemas.codes import ReferralStatus

STAYS = "stays"
"""Target of an action that does not change the status."""
BEFORE = "before"
"""Target of an action that takes the last step back: the status before that step."""


class Office(StrEnum):
    """Who acts without being a party. The value is its role in the tables; a partner's slug is never an Office."""

    HUB = "hub"
    COORDINATOR = "coordinator"


HUB = Office.HUB
AUTHOR = "author"
"""The role of the partner that took the last step; also of the receiver where the referrer reported it."""


@dataclass(frozen=True, slots=True)
class Transition:
    """A row of a life cycle. source: empty for the first step. target: a status, STAYS or BEFORE. by: roles allowed.

    must_give: the fields it requires; `a|b` requires one of the two. reported: the referrer may record it in the
    receiver's place, with `reported_by`. within: how many working days AUTHOR has after the last step. Who is told:
    `schemas/routing.py`, by the event of the action (`acts/events.py`).
    """

    action: str
    source: frozenset[str]
    target: str
    by: frozenset[str]
    must_give: frozenset[str] = frozenset()
    reported: bool = False
    within: int | None = None

    def open_to(self, status: str, roles: Collection[str], *, reporting: bool = False) -> bool:
        """Whether these roles may take it in this status. reporting: in the receiver's place."""
        allowed = self.reported and "referrer" in roles if reporting else not self.by.isdisjoint(roles)
        return status in self.source and allowed

    def missing(self, given: Mapping[str, Any], waived: str | None = None) -> list[str]:
        """The required fields that are not given. waived: a field that is not required this time."""
        choices = [field.split("|") for field in self.must_give - {waived}]
        return sorted(" or ".join(choice) for choice in choices if all(given.get(name) is None for name in choice))


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
    #    action       from                            to            by            must give
    _row("send", "", "sent", "referrer", f"recipient|offer moment reason contact {_SENSE}"),
    _row("receive", "sent", "received", "recipient", reported=True),
    _row("accept", _NOT_TAKEN, "accepted", "recipient", "first_contact_on", reported=True),
    _row("waitlist", _UNANSWERED, "waitlisted", "recipient", "rank|expected_on", reported=True),
    _row("decline", _NOT_TAKEN, "declined", "recipient", "reason declined_by", reported=True),
    _row("redirect", _ELSEWHERE, "redirected", "referrer", "recipient|offer"),
    _row("cancel", f"{_NOT_TAKEN} accepted", "cancelled", "referrer", "reason"),
    _row("lapse", f"{_NOT_TAKEN} accepted", "cancelled", "hub"),
    _row("end-agreement", _NOT_TAKEN, "cancelled", "hub"),
    _row("start", "accepted", "started", "recipient", "started_on", reported=True),
    _row("complete", "started", "completed", "recipient", "outcome", reported=True),
    _row("interrupt", "accepted started", "interrupted", "recipient referrer", "reason", reported=True),
    _row("expire", _UNANSWERED, "expired", "hub"),
    _row("expire", "waitlisted", "expired", "hub"),
    _row("reopen", "declined interrupted completed", BEFORE, f"{AUTHOR} coordinator", "reason", within=2),
    _row("suggest", _ELSEWHERE, STAYS, "coordinator", "offer"),
    _row("void", _ANY, "voided", "referrer coordinator", "reason"),
)
"""`lapse`: an alternative started. `end-agreement`: see ENDING. `expire`: no answer in 30 days, or to two questions
while waitlisted."""

TRAINING: Table = (
    _row("enrol", "", "enrolled", "operator home", f"kind planned_start {_SENSE}"),
    _row("start", "enrolled", "started", "operator", "started_on"),
    _row("attendance-falling", "started", STAYS, "operator"),
    _row("suspend", "started", "suspended", "operator"),
    _row("resume", "suspended", "started", "operator"),
    _row("complete", "started", "completed", "operator", "outcome hours_done"),
    _row("interrupt", "started suspended", "interrupted", "operator home", "reason"),
    _row("cancel", "enrolled", "cancelled", "operator home", "reason"),
    _row("end-agreement", "enrolled", "cancelled", "hub"),
)

PLACEMENT: Table = (
    _row("propose", "", "proposed", "proposer", f"employer kind planned_start {_SENSE}"),
    _row("confirm", "proposed", "confirmed", "employer"),
    _row("refuse", "proposed", "refused", "employer", "reason"),
    _row("start", "confirmed", "started", "employer proposer", "started_on"),
    _row("cancel", "proposed", "cancelled", "proposer", "reason"),
    _row("cancel", "confirmed", "cancelled", "employer proposer", "reason"),
    _row("end-agreement", "proposed", "cancelled", "hub"),
    _row("evaluate", "started ended", STAYS, "employer proposer"),
    _row("end", "started", "ended", "employer proposer", "ended_on reason"),
    _row("follow-up", "ended", STAYS, "proposer home", "months situation"),
)
"""`follow-up`: 3, 6 and 12 months after the end, once each."""


ENDING = frozenset(
    "decline refuse redirect cancel lapse end-agreement interrupt complete end void suggest".split()  # noqa: SIM905
)
"""The actions that stay open when no agreement or convention covers a party any more: those that end an act or take it
elsewhere, none that carries it on (domain.md, section 4).

After the person's word (a withdrawal, or a narrowing that drops the partner) the hub itself takes `end-agreement` where
the table has it: what nobody took up is cancelled. After an administrative lapse (an agreement's last day, the end or
suspension of a convention) it does so LAPSE_DAYS later, if nothing covers the party by then.
"""
HOME_ALONE = frozenset({"follow-up"})
"""What the home partner records on its own account; no other partner is told anything by it."""


class NotAllowed(Exception):
    """The table has no such transition for this status and these roles. open: the actions it does allow."""

    def __init__(self, action: str, status: str, open_actions: list[str]) -> None:
        super().__init__(action)
        self.action = action
        self.status = status
        self.open = open_actions


class NotGiven(Exception):
    """Required fields are missing. missing: their names, `a or b` where one of the two is required."""

    def __init__(self, missing: list[str]) -> None:
        super().__init__(", ".join(missing))
        self.missing = missing


def begin(table: Table, given: Mapping[str, Any]) -> str:
    """The status in which a new act begins. Raises NotGiven."""
    row = next(row for row in table if not row.source)
    if missing := row.missing(given):
        raise NotGiven(missing)
    return row.target


def open_actions(table: Table, status: str, roles: Collection[str]) -> list[str]:
    """The actions open to these roles."""
    return [row.action for row in table if row.open_to(status, roles)]


AFTERWARDS = frozenset({"reopen", "void", "suggest", "redirect", "evaluate"})
"""Actions that take back or add to what is over: an act for which only these are left is over."""


def is_over(table: Table, status: str, roles: Collection[str], done: Collection[str] = ()) -> bool:
    """Whether no action is left for these roles, now or after any steps that others may still take.

    done: actions that are used up.
    """
    rows = [row for row in table if row.action not in {*AFTERWARDS, *done}]
    reached, before = {status}, set[str]()
    while reached != before:
        before = set(reached)
        reached |= {row.target for row in rows if row.source & before}
    return not any(row.source & reached and not row.by.isdisjoint(roles) for row in rows)


def step(
    table: Table,
    action: str,
    status: str,
    roles: Collection[str],
    given: Mapping[str, Any],
    waived: str | None = None,
) -> Transition:
    """The transition that applies. waived: see `Transition.missing`. Raises NotAllowed and NotGiven."""
    reporting = given.get("reported_by") == "referrer"
    allowed = [row for row in table if row.action == action and row.open_to(status, roles, reporting=reporting)]
    if not allowed:
        raise NotAllowed(action, status, open_actions(table, status, roles))
    if missing := allowed[0].missing(given, waived):
        raise NotGiven(missing)
    return allowed[0]
