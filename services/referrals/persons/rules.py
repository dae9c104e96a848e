"""A person's accompaniment is a table: active, paused or left; only the home partner changes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas import beneficiary as events
from schemas.envelope import Payload, SealedPart
from services.referrals.acts.lifecycle import Table, Transition, step

_HOME = frozenset({"home"})

PERSON: Table = (
    #          action    from                            to        by     must give
    Transition("pause", frozenset({"active"}), "paused", _HOME),
    Transition("resume", frozenset({"paused", "left"}), "active", _HOME),
    Transition("leave", frozenset({"active", "paused"}), "left", _HOME, frozenset({"reason"})),
)


class Left(Exception):
    """The person has left: nobody accompanies them, so nothing new may begin for them."""


def decide(action: str, status: str, home: str, given: Mapping[str, Any]) -> tuple[str, Payload, SealedPart | None]:
    """The new status and the event that records it. Raises NotAllowed and NotGiven."""
    row = step(PERSON, action, status, _HOME, given)
    if action == "pause":
        return row.target, events.PausedV1(home=home), None
    if action == "resume":
        return row.target, events.ResumedV1(home=home), None
    return row.target, events.LeftV1(home=home), events.LeftSealed(reason=given["reason"], finer=given.get("finer"))


def check_accompanied(status: str) -> None:
    """Check that something new may begin for a person of this status. Raises Left."""
    if status == "left":
        raise Left
