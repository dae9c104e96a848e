"""A referral, a training or a placement as one reader sees it: the fields that `jalons.privacy.visibility` shows it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from jalons.privacy.disclosure import role_of
from jalons.privacy.visibility import FORMS, Role, cell, visible
from services.referrals.acts.lifecycle import Office
from services.referrals.acts.rules import LEFT, Act, Placement, Referral, Training, open_to
from services.referrals.calls.edge import Answer
from services.referrals.work import Work

ID: dict[type[Act], str] = {Referral: "referral_id", Training: "training_id", Placement: "placement_id"}


def made(work: Work, state: Act) -> Answer:
    """The answer to the partner that made it."""
    beneficiary = work.named_for(work.call.partner, state.ref, state.home)
    return Answer(
        sheet(state, work.call.partner, beneficiary, work.call.today), 201, version=state.version, thing=state.id
    )


def sheet(
    state: Act, reader: str, beneficiary: UUID, today: date, also: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What a partner or the coordinator sees of an act.

    beneficiary: the person, as this reader names it. also: further fields of this answer, shown by the same table.
    """
    erased = bool(state.facts.get("erased"))
    body: dict[str, Any] = {
        ID[type(state)]: state.id,
        "ref": state.reference,
        "beneficiary": None if erased else beneficiary,
        "status": state.status,
        "version": state.version,
        **state.parties(),
        **{name: value for name, value in state.facts.items() if value is not None},
        "actions": [] if erased else open_to(state, reader, today),
    }
    if isinstance(state, Referral | Training):
        body["moment"] = state.moment
    if isinstance(state, Referral) and state.offer:
        body["offer"] = state.offer
    if isinstance(state, Training | Placement) and state.referral_id:
        body["referral_id"] = state.referral_id
    return visible(_noun(state), body | dict(also or {}), role_in(state, reader))


def role_in(state: Act, reader: str) -> Role:
    """The role in which a partner or the coordinator reads an act."""
    if reader is Office.COORDINATOR:
        return Role.COORDINATOR
    return role_of(
        reader,
        {"home": state.home, **state.parties()},
        recipient_kind=state.facts.get("recipient_kind"),
        ended=isinstance(state, Referral) and state.status in LEFT,
        uncovered=reader in state.uncovered,
    )


def sees(state: Act, field: str, reader: str) -> bool:
    """Whether a partner or the coordinator sees a field of an act's answer."""
    return cell(_noun(state), field, role_in(state, reader)) in FORMS


def _noun(state: Act) -> str:
    return type(state).__name__.lower()
