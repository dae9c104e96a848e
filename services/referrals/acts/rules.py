"""The states of a referral, a training and a placement; each action is a pure step to the next state and its event."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Generic, TypeVar, get_args
from uuid import UUID

from schemas import placement as placements
from schemas import referral as referrals
from schemas import training as trainings
from schemas.codes import FollowUpMonths
from schemas.envelope import Payload, SealedPart
from services.referrals.acts import events, lifecycle
from services.referrals.acts.events import EventMakers, Facts, planned
from services.referrals.acts.lifecycle import AUTHOR, BEFORE, HUB, STAYS, NotAllowed, Office, Table, Transition
from services.referrals.deadlines.working_days import after_working_days

NOT_STORED = {"stored": False}
"""Marks a field of an act that no table holds."""
LEFT = frozenset({"redirected", "voided"})
"""Statuses in which the receiver has no more to do with the person, or never had: it is shown no profile."""

MOMENT_OF_KIND = {
    "bilan_new": "projet",
    "bilan_update": "projet",
    "bsp": "projet",
    "orientation": "projet",
    "projet_de_vie": "projet",
    "confiance_en_soi": "preformation",
    "remise_a_niveau": "preformation",
    "alphabetisation": "preformation",
    "autoformation_permis": "preformation",
    "preformation": "preformation",
    "formation": "formation",
    "accompagnement_emploi": "preparation_emploi",
    "accompagnement_creation": "preparation_emploi",
}
"""Kind of training → its moment (domain.md, section 4)."""

HELD = "stop_asked_on"
"""The fact of a referral whose person said « no longer »: the day. It is gone once the referrer has answered."""


class TooLate(Exception):
    """The last act can no longer be taken back: its author may do so for two working days."""


class Uncovered(NotAllowed):
    """No agreement of the person, or no convention, covers a party any more: the act can only be ended."""


class AlreadyRecorded(Exception):
    """The follow-up for this number of months is recorded already."""


@dataclass(frozen=True, slots=True)
class Act:
    """What the three kinds share. ref: the person. version: 1-based, one per step. facts: everything else that calls
    gave, as JSON values; dates in ISO format. uncovered: its parties that no agreement or convention covers today
    (`acts/cover.py`); not stored."""

    id: UUID
    reference: str
    ref: UUID
    home: str
    status: str
    version: int
    facts: Facts
    uncovered: tuple[str, ...] = field(default=(), kw_only=True, metadata=NOT_STORED)

    def party(self, partner: str) -> frozenset[str]:
        """The roles of a partner in it; empty for a stranger."""
        return frozenset(role for role, who in self.parties().items() if who == partner)

    @property
    def last(self) -> Facts:
        """The last step that changed the status: `by`, `on` (day of recording), `before` (status), `before_on` (day of
        the step before), `said` (the facts it set), and whether it was `reported`. Empty if there was none."""
        found: Facts = self.facts.get("last_act", {})
        return found

    @property
    def last_on(self) -> date | None:
        """The day on which its last step happened; a step that was taken back counts no more. None: not known."""
        return date.fromisoformat(self.facts["last_on"]) if self.facts.get("last_on") else None

    def parties(self) -> dict[str, str]:
        """Role → partner."""
        raise NotImplementedError

    @property
    def receiver(self) -> str:
        """The partner to which the person goes."""
        raise NotImplementedError

    def common(self) -> dict[str, Any]:
        """The fields that every event of it carries."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Referral(Act):
    """A *relais* from one partner to another."""

    referrer: str
    recipient: str
    moment: str
    offer: str | None = None

    def parties(self) -> dict[str, str]:
        """Role → partner."""
        return {"referrer": self.referrer, "recipient": self.recipient}

    @property
    def receiver(self) -> str:
        """See `Act.receiver`."""
        return self.recipient

    def common(self) -> dict[str, Any]:
        """See `Act.common`."""
        return {
            "referral_id": self.id,
            "reference": self.reference,
            "home": self.home,
            "referrer": self.referrer,
            "recipient": self.recipient,
            "recipient_kind": self.facts["recipient_kind"],
            "offer": self.offer,
            "offer_type": self.facts.get("offer_type"),
            "moment": self.moment,
            "trial": self.facts.get("trial", False),
            "uncovered": self.uncovered,
        }


@dataclass(frozen=True, slots=True)
class Training(Act):
    """A course, a *bilan* or an accompaniment."""

    operator: str
    moment: str
    referral_id: UUID | None = None

    def parties(self) -> dict[str, str]:
        """Role → partner."""
        return {"home": self.home, "operator": self.operator}

    @property
    def receiver(self) -> str:
        """See `Act.receiver`."""
        return self.operator

    def common(self) -> dict[str, Any]:
        """See `Act.common`."""
        return {
            "training_id": self.id,
            "reference": self.reference,
            "home": self.home,
            "operator": self.operator,
            "referral_id": self.referral_id,
            "offer": self.facts.get("offer"),
            "moment": self.moment,
            "trial": self.facts.get("trial", False),
            "uncovered": self.uncovered,
        }

    def course(self) -> trainings.TrainingSealed:
        """The sealed part of its events: which course it is, and why."""
        return trainings.TrainingSealed.model_validate(self.facts)


@dataclass(frozen=True, slots=True)
class Placement(Act):
    """An *art. 60 §7* contract, a traineeship, a job or the person's own activity."""

    proposer: str
    employer: str
    referral_id: UUID | None = None

    def parties(self) -> dict[str, str]:
        """Its two parties and the home partner, which may be a third."""
        return {"home": self.home, "proposer": self.proposer, "employer": self.employer}

    @property
    def receiver(self) -> str:
        """See `Act.receiver`."""
        return self.employer

    def common(self) -> dict[str, Any]:
        """See `Act.common`."""
        return {
            "placement_id": self.id,
            "reference": self.reference,
            "home": self.home,
            "proposer": self.proposer,
            "employer": self.employer,
            "legal_employer": self.facts.get("legal_employer"),
            "referral_id": self.referral_id,
            "offer": self.facts.get("offer"),
            "trial": self.facts.get("trial", False),
            "uncovered": self.uncovered,
        }

    def work(self) -> placements.PlacementSealed:
        """The sealed part of its events: which work it is, and why."""
        return placements.PlacementSealed.model_validate(self.facts)


S = TypeVar("S", bound=Act)


@dataclass(frozen=True, slots=True)
class Decided(Generic[S]):
    """A new state and the event that records it."""

    state: S
    event: Payload
    sealed: SealedPart | None = None


def sent(referral: Referral) -> Decided[Referral]:
    """The first event of a new referral."""
    facts = referral.facts
    event = referrals.SentV1(
        **referral.common(),
        contact=facts["contact"],
        reply_by=facts["reply_by"],
        follows=facts.get("follows"),
        alternative_to=facts.get("alternative_to"),
        parent=facts.get("parent"),
    )
    return Decided(referral, event, referrals.SentSealed.model_validate(facts))


def enrolled(training: Training) -> Decided[Training]:
    """The first event of a new training."""
    event = trainings.EnrolledV1(
        **training.common(),
        planned_start=training.facts["planned_start"],
        planned_end=training.facts.get("planned_end"),
    )
    return Decided(training, event, training.course())


def proposed(placement: Placement) -> Decided[Placement]:
    """The first event of a new placement."""
    event = placements.ProposedV1(**placement.common(), **planned(placement))
    return Decided(placement, event, placement.work())


def act(state: S, action: str, by: str, given: Facts, today: date, on: date | None = None) -> Decided[S]:
    """The step that an action takes.

    by: a partner's slug or an Office. given: what the call gives, as JSON values; dates in ISO format. today: in
    Brussels. on: the day on which it happened; default: today.

    Raises NotAllowed, NotGiven, TooLate and AlreadyRecorded.
    """
    row = check(state, action, by, given, today)
    values = {name: value for name, value in given.items() if value is not None}
    new_facts = _new_facts(state, action, values)
    target = {STAYS: state.status, BEFORE: state.last.get("before", state.status)}.get(row.target, row.target)
    facts = {**_remaining(state, action, by), **new_facts, "last_on": _last_on(state, action, on or today)}
    if row.target != STAYS:
        facts["last_act"] = {
            "by": None if isinstance(by, Office) else by,
            "on": today.isoformat(),
            "before": state.status,
            "before_on": state.facts.get("last_on"),
            "said": sorted(new_facts),
            "reported": "reported_by" in values,
        }
    after = replace(state, status=target, version=state.version + 1, facts=facts)
    event, sealed = _LIFE[type(state)][1][action].make(after, values)
    return Decided(after, event, sealed)


def check(state: Act, action: str, by: str, given: Facts, today: date) -> Transition:
    """The transition by which somebody may act today. Raises NotAllowed, NotGiven and TooLate."""
    roles = _roles(state, by)
    if state.uncovered and not _may_end(state, action, by):
        raise Uncovered(action, state.status, open_to(state, by, today))
    row = lifecycle.step(_LIFE[type(state)][0], action, state.status, roles, given, _waived(state))
    if _too_late(row, state, roles, today):
        raise TooLate
    return row


def open_to(state: Act, by: str, today: date) -> list[str]:
    """The actions open to a partner or an Office today, without those it could report for the receiver."""
    roles = _roles(state, by)
    rows = (row for row in _LIFE[type(state)][0] if row.open_to(state.status, roles))
    free = [row for row in rows if not state.uncovered or _may_end(state, row.action, by)]
    return [row.action for row in free if not _too_late(row, state, roles, today)]


def hub_actions(state: Act) -> frozenset[str]:
    """The actions that the table gives the hub in an act's status."""
    return frozenset(row.action for row in _LIFE[type(state)][0] if row.open_to(state.status, {HUB}))


def _may_end(state: Act, action: str, by: str) -> bool:
    """Whether an action is open although no agreement covers a party: it ends the act, or only its home records it."""
    return action in lifecycle.ENDING or (action in lifecycle.HOME_ALONE and by == state.home)


def heard(state: Referral, said: str, today: date) -> Referral:
    """A referral with its person's newest word; the same version, since what can be done is as it was."""
    facts = {**state.facts, "said": said, "said_on": today.isoformat()}
    if said == "no_longer":
        facts = {HELD: today.isoformat(), **facts}
    elif said == "goes_on":
        facts.pop(HELD, None)
    return replace(state, facts=facts)


def is_held(state: Act) -> bool:
    """Whether its person said « no longer » and the referrer has not answered: nobody is reminded, nothing is shown."""
    return HELD in state.facts


def is_over(state: Act, partner: str) -> bool:
    """Whether no action is left for a partner, now or after any steps that others may still take."""
    if state.facts.get("erased"):
        return True
    if state.uncovered:
        return not {row.action for row in _LIFE[type(state)][0] if row.open_to(state.status, state.party(partner))} & (
            lifecycle.ENDING - lifecycle.AFTERWARDS
        )
    done = frozenset({"follow-up"}) if len(state.facts.get("follow_ups", {})) == len(get_args(FollowUpMonths)) else ()
    return lifecycle.is_over(_LIFE[type(state)][0], state.status, state.party(partner), done)


def must_give(state: Act, action: str, partner: str) -> frozenset[str]:
    """The fields that an action open to a partner requires; `a|b` requires one of the two."""
    rows = [row for row in _LIFE[type(state)][0] if row.action == action]
    return next(row.must_give for row in rows if row.open_to(state.status, _roles(state, partner))) - {_waived(state)}


def _waived(state: Act) -> str | None:
    """The field that is not required: the two agree on the first contact by phone, so it has no date yet."""
    return "first_contact_on" if state.facts.get("contact") == "receiver_calls_referrer" else None


def _roles(state: Act, by: str) -> frozenset[str]:
    if isinstance(by, Office):
        return frozenset({by})
    party, last = state.party(by), state.last
    wrote = last.get("by") == by or (last.get("reported") and "recipient" in party)
    return party | {AUTHOR} if wrote else party


def _too_late(row: Transition, state: Act, roles: frozenset[str], today: date) -> bool:
    """Whether only the author may take the action, and the time for it is over."""
    if row.within is None or roles & row.by != {AUTHOR}:
        return False
    return today > after_working_days(date.fromisoformat(state.last["on"]), row.within)


_RENAMED = {"recipient": "new_recipient", "offer": "suggested_offer", "outcome": "evaluation"}
_OWN_NAMES = ("redirect", "suggest", "evaluate")


def _new_facts(state: Act, action: str, values: Facts) -> dict[str, Any]:
    """The facts that a step sets. Its reason does not replace the first one; follow-ups are collected by months."""
    if action == "follow-up":
        known, months = state.facts.get("follow_ups", {}), str(values["months"])
        if months in known:
            raise AlreadyRecorded
        return {"follow_ups": {**known, months: values["situation"]}}
    if action == "end-agreement":
        return {**values, "cancel_reason": "agreement_ended"}
    if action in _OWN_NAMES:
        values = {_RENAMED.get(name, name): value for name, value in values.items()}
    return {f"{action}_{name}" if name in ("reason", "finer") else name: value for name, value in values.items()}


def _last_on(state: Act, action: str, on: date) -> str | None:
    """The day that the next step may not be before: of this step, unless it is no part of what the parties do. What is
    taken back was never followed."""
    if action == "reopen":
        return state.last.get("before_on")
    return state.facts.get("last_on") if action == "suggest" else on.isoformat()


def _remaining(state: Act, action: str, by: str) -> dict[str, Any]:
    """The facts that a step leaves: not those it takes back, nor `reported_by`, nor HELD after the referrer."""
    gone = {"reported_by", *(state.last.get("said", ()) if action in ("reopen", "resume") else ())}
    if "referrer" in state.party(by):
        gone.add(HELD)
    return {name: value for name, value in state.facts.items() if name not in gone}


_LIFE: dict[type[Act], tuple[Table, EventMakers]] = {
    Referral: (lifecycle.REFERRAL, events.REFERRAL),
    Training: (lifecycle.TRAINING, events.TRAINING),
    Placement: (lifecycle.PLACEMENT, events.PLACEMENT),
}
