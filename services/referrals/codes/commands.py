"""A network's own reason is the reason it hangs under, with itself beside: who does not know it misses nothing."""

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
"""Action → the list that its reason is of."""


def resolved(work: Work, action: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """What was given, with `reason` of its closed list and `finer` if it was finer. Raises Problem 422."""
    name, said = _LIST.get(action), given.get("reason")
    if name is None or said is None or said in LISTS[name]:
        return given
    parent = finer.parent(work.conn, name, said)
    if parent is None:
        raise refusals.invalid("reason", f"no code of {name}; see GET /codes")
    return {**given, "reason": parent, "finer": said}


def put(work: Work, name: str, code: str, parent: str, label: str) -> tuple[dict[str, str], bool]:
    """A finer code under one of a list of reasons, and whether it is new. Raises Problem 422."""
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
