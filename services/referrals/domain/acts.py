"""A referral, a training, a placement: each a state, and each action a pure step to the next with its event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Generic, TypeVar
from uuid import UUID

from schemas import placement as placements
from schemas import referral as referrals
from schemas import training as trainings
from schemas.envelope import Payload, SealedPart
from services.referrals.domain import lifecycle

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

Facts = Mapping[str, Any]


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
        """Its two parties."""
        return {"proposer": self.proposer, "employer": self.employer}

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
    event = placements.ProposedV1(**placement.common(), **_planned(placement))
    return Decided(placement, event, placement.work())


def act(state: S, action: str, by: str, given: Facts) -> Decided[S]:
    """The step an action makes. given: what the caller says, JSON values and dates in ISO form.

    Raises NotAllowed and NotGiven.
    """
    table, makers = _LIFE[type(state)]
    spared = "first_contact_on" if state.facts.get("contact") == "receiver_calls_referrer" else None
    row = lifecycle.step(table, action, state.status, _roles(state, by), given, spared)
    said = {name: value for name, value in given.items() if value is not None}
    moved = replace(state, status=row.target, version=state.version + 1, facts={**state.facts, **_kept(action, said)})
    event, sealed = makers[action](moved, said)
    return Decided(moved, event, sealed)


def open_to(state: Act, partner: str) -> list[str]:
    """What a partner may do with it now."""
    return lifecycle.open_actions(_LIFE[type(state)][0], state.status, _roles(state, partner))


def _roles(state: Act, by: str) -> frozenset[str]:
    return frozenset({lifecycle.HUB}) if by == lifecycle.HUB else state.party(by)


def _kept(action: str, said: Facts) -> dict[str, Any]:
    """An answer's reason is kept apart from the reason it was sent for."""
    return {f"{action}_reason" if name == "reason" else name: value for name, value in said.items()}


def _planned(state: Act) -> dict[str, date | None]:
    return {"planned_start": state.facts["planned_start"], "planned_end": state.facts.get("planned_end")}


Made = tuple[Payload, SealedPart | None]


def _received(r: Referral, _given: Facts) -> Made:
    return referrals.ReceivedV1(**r.common()), None


def _accepted(r: Referral, given: Facts) -> Made:
    event = referrals.AcceptedV1(**r.common(), first_contact_on=given.get("first_contact_on"), place=given.get("place"))
    return event, None


def _declined(r: Referral, given: Facts) -> Made:
    return referrals.DeclinedV1(**r.common()), referrals.DeclinedSealed.model_validate(given)


def _referral_started(r: Referral, given: Facts) -> Made:
    event = referrals.StartedV1(
        **r.common(),
        started_on=given["started_on"],
        answered_by=given.get("answered_by"),
        answered_by_id=given.get("answered_by_id"),
    )
    return event, None


def _referral_completed(r: Referral, given: Facts) -> Made:
    return referrals.CompletedV1(**r.common()), referrals.CompletedSealed.model_validate(given)


def _expired(r: Referral, _given: Facts) -> Made:
    return referrals.ExpiredV1(**r.common()), None


def _training_started(t: Training, given: Facts) -> Made:
    return trainings.StartedV1(**t.common(), started_on=given["started_on"]), t.course()


def _training_completed(t: Training, given: Facts) -> Made:
    sealed = trainings.CompletedSealed.model_validate({"kind": t.facts["kind"], **given})
    return trainings.CompletedV1(**t.common()), sealed


def _confirmed(p: Placement, _given: Facts) -> Made:
    return placements.ConfirmedV1(**p.common(), **_planned(p)), p.work()


def _placement_started(p: Placement, given: Facts) -> Made:
    return placements.StartedV1(**p.common(), started_on=given["started_on"]), p.work()


def _ended(p: Placement, given: Facts) -> Made:
    sealed = placements.EndedSealed.model_validate({"kind": p.facts["kind"], **given})
    return placements.EndedV1(**p.common(), ended_on=given["ended_on"]), sealed


_LIFE: dict[type[Act], tuple[lifecycle.Table, dict[str, Callable[[Any, Facts], Made]]]] = {
    Referral: (
        lifecycle.REFERRAL,
        {
            "receive": _received,
            "accept": _accepted,
            "decline": _declined,
            "start": _referral_started,
            "complete": _referral_completed,
            "expire": _expired,
        },
    ),
    Training: (lifecycle.TRAINING, {"start": _training_started, "complete": _training_completed}),
    Placement: (
        lifecycle.PLACEMENT,
        {"confirm": _confirmed, "start": _placement_started, "end": _ended},
    ),
}
