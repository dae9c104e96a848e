"""A referral, a training or a placement as one reader may see it; the person under that reader's own name for them."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from services.referrals.acts.lifecycle import Office
from services.referrals.acts.rules import LEFT, Act, Placement, Referral, Training, open_to
from services.referrals.calls.edge import Answer
from services.referrals.work import Work

ID: dict[type[Act], str] = {Referral: "referral_id", Training: "training_id", Placement: "placement_id"}

_KEPT_FOR_THE_HUB = frozenset(
    {"recipient_kind", "offer_type", "sent_at", "trial", "answered_by_id", "last_act", "earlier_recipients", "terms"}
)
_HIDDEN_FROM_RECEIVER = frozenset({"follows", "alternative_to", "parent", "suggested_offer", "suggested_partner"})
"""What else was tried for the person is the referrer's to know."""
_HIDDEN_FROM_EMPLOYER = {
    Placement: frozenset({"proposer", "goal", "chosen_by", "referral_id", "follow_ups"})
    | {f"{action}_{said}" for action in ("end", "cancel") for said in ("reason", "finer")},
    Referral: frozenset({"referrer", "reason", "finer", "goal", "chosen_by", "disclosed", "declined_by", "outcome"})
    | {f"{action}_{said}" for action in ("decline", "cancel", "interrupt", "reopen") for said in ("reason", "finer")},
}
_STATUS_ONLY = ("referral_id", "ref", "status", "version", "actions")
_COORDINATOR_SEES = ("ref", "status", "version", "referrer", "recipient", "moment", "offer", "reply_by", "actions")
"""As the stream: spoken reference, from, to, moment; no person-bound id, no reason, no profile."""


def made(work: Work, state: Act) -> Answer:
    """The answer to who made it."""
    named = work.named_for(work.call.partner, state.ref, state.home)
    return Answer(sheet(state, work.call.partner, named, work.call.today), 201, version=state.version)


def sheet(state: Act, reader: str, beneficiary: UUID, today: date) -> dict[str, Any]:
    """What a partner or the coordinator sees. beneficiary: that reader's own name for the person."""
    body: dict[str, Any] = {
        ID[type(state)]: state.id,
        "ref": state.reference,
        "beneficiary": beneficiary,
        "status": state.status,
        "version": state.version,
        **state.parties(),
        **{k: v for k, v in state.facts.items() if v is not None and k not in _KEPT_FOR_THE_HUB},
        "actions": open_to(state, reader, today),
    }
    if state.facts.get("erased"):
        body |= {"beneficiary": None, "actions": []}
    if isinstance(state, Referral | Training):
        body["moment"] = state.moment
    if isinstance(state, Referral) and state.offer:
        body["offer"] = state.offer
    if isinstance(state, Training | Placement) and state.referral_id:
        body["referral_id"] = state.referral_id
    if reader is Office.COORDINATOR:
        return {name: body[name] for name in _COORDINATOR_SEES if name in body}
    roles = state.party(reader)
    if is_employer(state, roles):
        body = _without(body, _HIDDEN_FROM_EMPLOYER[type(state)])
    if roles == {"recipient"}:
        left = state.status in LEFT
        body = {name: body[name] for name in _STATUS_ONLY} if left else _without(body, _HIDDEN_FROM_RECEIVER)
    return body if reader == state.home else _without(body, frozenset({"home"}))


def is_employer(state: Act, roles: frozenset[str]) -> bool:
    """Whether somebody of these roles meets it as an employer only: outside professional secrecy."""
    if isinstance(state, Referral):
        return roles == {"recipient"} and state.facts["recipient_kind"] == "employer"
    return roles == {"employer"}


def _without(body: dict[str, Any], hidden: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in hidden}
