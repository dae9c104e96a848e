"""Marks the parties of acts that nothing covers today: `Act.uncovered`, which rules, sheets and events read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import TypeVar

from sqlalchemy import Connection

from services.referrals.acts.rules import Act, Placement, Referral, Training
from services.referrals.agreements import rows as agreements
from services.referrals.agreements.cover import Grounds, Need
from services.referrals.directory import rows as directory

S = TypeVar("S", bound=Act)
_REFERRED, _EMPLOYED = frozenset({"referral"}), frozenset({"employer"})


def needs(state: Act) -> list[Need]:
    """What each party but the home partner needs. The home partner as operator or employer itself needs nothing."""
    match state:
        case Referral():
            purposes = _EMPLOYED if state.facts.get("recipient_kind") == "employer" else _REFERRED
            found = [
                Need(state.recipient, purposes, state.referrer, state.moment),
                Need(state.referrer, _REFERRED | _EMPLOYED),
            ]
        case Training():
            purposes = _EMPLOYED if state.facts.get("operator_kind") == "employer" else _REFERRED
            found = [Need(state.operator, purposes, state.home)]
        case Placement():
            found = [Need(state.employer, _EMPLOYED), Need(state.proposer, _REFERRED | _EMPLOYED)]
        case _:
            raise TypeError(type(state).__name__)
    return [need for need in found if need.partner != state.home]


def marked(conn: Connection, states: Sequence[S], today: date) -> list[S]:
    """The acts with the parties that nothing covers today. Of an erased person nothing is shown anyway."""
    wanted = {state.id: needs(state) for state in states if not state.facts.get("erased")}
    asked = [state for state in states if wanted.get(state.id)]
    if not asked:
        return list(states)
    partners = {need.partner for state in asked for need in wanted[state.id]}
    grounds = Grounds(
        agreements.consents_by_ref(conn, {state.ref for state in asked}),
        directory.signed_with(conn, partners),
        today,
    )
    return [
        replace(state, uncovered=grounds.uncovered(state.ref, wanted[state.id])) if wanted.get(state.id) else state
        for state in states
    ]
