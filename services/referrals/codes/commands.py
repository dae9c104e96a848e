"""A finer code is sent as the closed list's code it belongs to, with the finer one beside it.

A reader that does not know finer codes loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.reasons import FINER, LISTS
from services.referrals import refusals
from services.referrals.codes import rows as finer
from services.referrals.directory import rows as directory
from services.referrals.work import Work

_LIST = {
    "send": "referral_reason",
    **dict.fromkeys(("decline", "refuse"), "decline_reason"),
    **dict.fromkeys(("cancel", "interrupt", "suspend", "end", "leave"), "end_reason"),
}
"""Action → the closed list of its reasons."""


def resolved(work: Work, action: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """An action's body with `reason` from the closed list; a finer reason moves to `finer`. Raises Problem 422."""
    name, reason = _LIST.get(action), given.get("reason")
    if name is None or reason is None or reason in LISTS[name]:
        return given
    parent = finer.parent(work.conn, name, reason)
    if parent is None:
        raise refusals.invalid("reason", f"no code of {name}; see GET /codes")
    return {**given, "reason": parent, "finer": reason}


def put(work: Work, name: str, code: str, parent: str, label: str) -> tuple[dict[str, str], bool]:
    """Add a finer code or change its label; returns the code, and whether it is new. Raises Problem 422."""
    if name not in FINER:
        raise refusals.invalid("list", f"finer codes hang under {', '.join(FINER)}")
    if code in LISTS[name]:
        raise refusals.invalid("code", "the list has it already")
    if parent not in LISTS[name]:
        raise refusals.invalid("parent", f"no code of {name}")
    directory.lock_name(work.conn, name, code)
    before = finer.parent(work.conn, name, code)
    if before is not None and before != parent:
        raise refusals.invalid("parent", "a code keeps its meaning, and so its parent; take another code")
    finer.put(work.conn, name, code, parent, label)
    return {"list": name, "code": code, "parent": parent, "label": label}, before is None
