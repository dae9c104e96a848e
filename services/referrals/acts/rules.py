"""A referral, a training, a placement: each a state, and each action a pure step to the next with its event."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Generic, TypeVar, get_args
from uuid import UUID

from schemas import placement as placements
from schemas import referral as referrals
from schemas import training as trainings
from schemas.codes import FollowUpMonths
from schemas.envelope import Payload, SealedPart
from services.referrals.acts import lifecycle, sayings
from services.referrals.acts.lifecycle import AUTHOR, BEFORE, STAYS, Office, Table, Transition
from services.referrals.acts.sayings import Facts, Makers, planned
from services.referrals.deadlines.working_days import after_working_days

LEFT = frozenset({"redirected", "voided"})
"""A referral whose receiver has nothing to do with the person any more, or never had."""

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
"""A training's moment follows from its kind (domain.md, section 4)."""


class TooLate(Exception):
    """Its author may take an act back for two working days."""


class AlreadyRecorded(Exception):
    """A follow-up is said once for each time."""


@dataclass(frozen=True, slots=True)
class Act:
    """What the three life cycles share. ref: the person. facts: all that was given on the way, JSON values and dates
    in ISO form. version counts the transitions, from 1."""

    id: UUID
    reference: str
    ref: UUID
    home: str
    status: str
    version: int
    facts: Facts

    def party(self, partner: str) -> frozenset[str]:
        """The roles a partner has in it; empty for a stranger."""
        return frozenset(role for role, who in self.parties().items() if who == partner)

    @property
    def last(self) -> Facts:
        """The last act that changed the status: by whom, on which day, from which status, what it left in the facts;
        empty while there was none."""
        found: Facts = self.facts.get("last_act", {})
        return found

    def parties(self) -> dict[str, str]:
        """Role → partner."""
        raise NotImplementedError

    def common(self) -> dict[str, Any]:
        """The fields every event of it carries."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Referral(Act):
    """A relais from one partner to another."""

    referrer: str
    recipient: str
    moment: str
    offer: str | None = None

    def parties(self) -> dict[str, str]:
        """Its two parties."""
        return {"referrer": self.referrer, "recipient": self.recipient}

    def common(self) -> dict[str, Any]:
        """See Act."""
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
        }


@dataclass(frozen=True, slots=True)
class Training(Act):
    """A course, a bilan or an accompaniment."""

    operator: str
    moment: str
    referral_id: UUID | None = None

    def parties(self) -> dict[str, str]:
        """Its two parties."""
        return {"home": self.home, "operator": self.operator}

    def common(self) -> dict[str, Any]:
        """See Act."""
        return {
            "training_id": self.id,
            "reference": self.reference,
            "home": self.home,
            "operator": self.operator,
            "referral_id": self.referral_id,
            "offer": self.facts.get("offer"),
            "moment": self.moment,
            "trial": self.facts.get("trial", False),
        }

    def course(self) -> trainings.TrainingSealed:
        """What course it is, and its sense."""
        return trainings.TrainingSealed.model_validate(self.facts)


@dataclass(frozen=True, slots=True)
class Placement(Act):
    """ART 60, traineeship, job or own activity."""

    proposer: str
    employer: str
    referral_id: UUID | None = None

    def parties(self) -> dict[str, str]:
        """Its two parties, and the home partner, who may be a third."""
        return {"home": self.home, "proposer": self.proposer, "employer": self.employer}

    def common(self) -> dict[str, Any]:
        """See Act."""
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
        }

    def work(self) -> placements.PlacementSealed:
        """What work it is, and its sense."""
        return placements.PlacementSealed.model_validate(self.facts)


S = TypeVar("S", bound=Act)


@dataclass(frozen=True, slots=True)
class Decided(Generic[S]):
    """A new state and the event that says so."""

    state: S
    event: Payload
    sealed: SealedPart | None = None


def sent(referral: Referral) -> Decided[Referral]:
    """A referral that was just made."""
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
    """A training that was just planned."""
    event = trainings.EnrolledV1(
        **training.common(),
        planned_start=training.facts["planned_start"],
        planned_end=training.facts.get("planned_end"),
    )
    return Decided(training, event, training.course())


def proposed(placement: Placement) -> Decided[Placement]:
    """A placement that was just proposed."""
    event = placements.ProposedV1(**placement.common(), **planned(placement))
    return Decided(placement, event, placement.work())


def act(state: S, action: str, by: str, given: Facts, today: date) -> Decided[S]:
    """The step an action makes. by: a partner or an Office. given: what the caller says, JSON values and dates in ISO
    form. today: in Brussels.

    Deadlines call it as `act(referral, "expire", HUB, {}, today)`, and say its event as the hub's.

    Raises NotAllowed, NotGiven, TooLate and AlreadyRecorded.
    """
    row = check(state, action, by, given, today)
    said = {name: value for name, value in given.items() if value is not None}
    kept = _kept(state, action, said)
    target = {STAYS: state.status, BEFORE: state.last.get("before", state.status)}.get(row.target, row.target)
    facts = {**_left_of(state, action), **kept}
    if row.target != STAYS:
        facts["last_act"] = {
            "by": None if isinstance(by, Office) else by,
            "on": today.isoformat(),
            "before": state.status,
            "said": sorted(kept),
            "reported": "reported_by" in said,
        }
    moved = replace(state, status=target, version=state.version + 1, facts=facts)
    event, sealed = _LIFE[type(state)][1][action](moved, said)
    return Decided(moved, event, sealed)


def check(state: Act, action: str, by: str, given: Facts, today: date) -> Transition:
    """The row of the table by which somebody may act now. Raises NotAllowed, NotGiven and TooLate."""
    roles = _roles(state, by)
    row = lifecycle.step(_LIFE[type(state)][0], action, state.status, roles, given, _spared(state))
    if _too_late(row, state, roles, today):
        raise TooLate
    return row


def open_to(state: Act, by: str, today: date) -> list[str]:
    """What a partner or an Office may do with it now, by their own right."""
    roles = _roles(state, by)
    rows = (row for row in _LIFE[type(state)][0] if row.open_to(state.status, roles))
    return [row.action for row in rows if not _too_late(row, state, roles, today)]


def is_over(state: Act, partner: str) -> bool:
    """Whether a partner has nothing more to do with it, now or after whatever the others may still do."""
    if state.facts.get("erased"):
        return True
    done = frozenset({"follow-up"}) if len(state.facts.get("follow_ups", {})) == len(get_args(FollowUpMonths)) else ()
    return lifecycle.is_over(_LIFE[type(state)][0], state.status, state.party(partner), done)


def must_give(state: Act, action: str, partner: str) -> frozenset[str]:
    """What an action that is open to a partner now has to be given; `a|b`: one of them."""
    rows = [row for row in _LIFE[type(state)][0] if row.action == action]
    return next(row.must_give for row in rows if row.open_to(state.status, _roles(state, partner))) - {_spared(state)}


def _spared(state: Act) -> str | None:
    """A first contact that the two will agree on by voice has no date yet."""
    return "first_contact_on" if state.facts.get("contact") == "receiver_calls_referrer" else None


def _roles(state: Act, by: str) -> frozenset[str]:
    if isinstance(by, Office):
        return frozenset({by})
    party, last = state.party(by), state.last
    wrote = last.get("by") == by or (last.get("reported") and "recipient" in party)
    return party | {AUTHOR} if wrote else party


def _too_late(row: Transition, state: Act, roles: frozenset[str], today: date) -> bool:
    """Whether only the author may do it, and too long after."""
    if row.within is None or roles & row.by != {AUTHOR}:
        return False
    return today > after_working_days(date.fromisoformat(state.last["on"]), row.within)


_NAMED_APART = {"recipient": "new_recipient", "offer": "suggested_offer", "outcome": "evaluation"}
_APART = ("redirect", "suggest", "evaluate")


def _kept(state: Act, action: str, said: Facts) -> dict[str, Any]:
    """What an act leaves in the facts: its reason apart from the reason it was sent for, follow-ups beside another."""
    if action == "follow-up":
        known, months = state.facts.get("follow_ups", {}), str(said["months"])
        if months in known:
            raise AlreadyRecorded
        return {"follow_ups": {**known, months: said["situation"]}}
    if action in _APART:
        said = {_NAMED_APART.get(name, name): value for name, value in said.items()}
    return {f"{action}_{name}" if name in ("reason", "finer") else name: value for name, value in said.items()}


def _left_of(state: Act, action: str) -> dict[str, Any]:
    """The facts that stay: what is taken back is gone, and who reported is said of the last act only."""
    gone = {"reported_by", *(state.last.get("said", ()) if action in ("reopen", "resume") else ())}
    return {name: value for name, value in state.facts.items() if name not in gone}


_LIFE: dict[type[Act], tuple[Table, Makers]] = {
    Referral: (lifecycle.REFERRAL, sayings.REFERRAL),
    Training: (lifecycle.TRAINING, sayings.TRAINING),
    Placement: (lifecycle.PLACEMENT, sayings.PLACEMENT),
}
