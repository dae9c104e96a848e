"""Action → the event it records, made of the new state and of what the call gave."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from schemas import placement as placements
from schemas import referral as referrals
from schemas import training as trainings
from schemas.envelope import Payload, SealedPart

if TYPE_CHECKING:
    from services.referrals.acts.rules import Act, Placement, Referral, Training

Facts = Mapping[str, Any]
EventParts = tuple[Payload, SealedPart | None]


class Maker(NamedTuple):
    """The event that an action records. make: builds it and its sealed part from the new state and the given fields."""

    event: type[Payload]
    make: Callable[[Any, Facts], EventParts]


EventMakers = Mapping[str, Maker]


def planned(state: Act) -> dict[str, Any]:
    """The planned dates, as events carry them."""
    return {"planned_start": state.facts["planned_start"], "planned_end": state.facts.get("planned_end")}


def _referral(event: type[referrals.ReferralEvent], *fields: str) -> Maker:
    """Makes an event with these fields as given, and its sealed part if it has one."""

    def make(r: Referral, given: Facts) -> EventParts:
        values = {name: given.get(name) for name in ("reported_by", *fields)}
        sealed = event.SEALED.model_validate(given) if event.SEALED else None
        return event.model_validate({**r.common(), **values}), sealed

    return Maker(event, make)


def _redirected(r: Referral, given: Facts) -> EventParts:
    to = {"redirected_to": given["redirected_to"], "redirected_reference": given["redirected_reference"]}
    return referrals.RedirectedV1(**r.common(), **to, new_recipient=given["recipient"]), None


def _lapsed(r: Referral, _given: Facts) -> EventParts:
    return referrals.CancelledV1(**r.common(), lapsed=True), referrals.EndSealed(reason="other_training")


def _agreement_ended(event: type[Payload]) -> Maker:
    """Makes the cancellation by the hub of an act that nothing covers any more."""

    def make(state: Act, given: Facts) -> EventParts:
        assert event.SEALED is not None
        sealed = event.SEALED.model_validate({"kind": state.facts.get("kind"), "reason": "agreement_ended"})
        return event.model_validate({**state.common(), "agreement_ended": given.get("agreement_ended")}), sealed

    return Maker(event, make)


def _reopened(r: Referral, given: Facts) -> EventParts:
    event = referrals.ReopenedV1.model_validate({**r.common(), "status": r.status})
    return event, referrals.ReopenedSealed.model_validate(given)


def _suggested(r: Referral, given: Facts) -> EventParts:
    event = referrals.SuggestedV1(
        **r.common(), suggested_offer=given["offer"], suggested_partner=given["suggested_partner"]
    )
    return event, None


def _training(event: type[trainings.TrainingEvent]) -> Maker:
    """Makes an event whose sealed part, if any, is the training's kind and what was given."""

    def make(t: Training, given: Facts) -> EventParts:
        sealed = event.SEALED.model_validate({"kind": t.facts["kind"], **given}) if event.SEALED else None
        return event.model_validate(t.common()), sealed

    return Maker(event, make)


def _training_started(t: Training, given: Facts) -> EventParts:
    return trainings.StartedV1(**t.common(), started_on=given["started_on"]), t.course()


def _placement(event: type[placements.PlacementEvent], *fields: str) -> Maker:
    """Makes an event with these fields as given. Its sealed part, if any, is the placement's kind and the rest."""

    def make(p: Placement, given: Facts) -> EventParts:
        sealed = event.SEALED.model_validate({"kind": p.facts["kind"], **given}) if event.SEALED else None
        return event.model_validate({**p.common(), **{name: given[name] for name in fields}}), sealed

    return Maker(event, make)


def _confirmed(p: Placement, _given: Facts) -> EventParts:
    return placements.ConfirmedV1(**p.common(), **planned(p)), p.work()


def _placement_started(p: Placement, given: Facts) -> EventParts:
    return placements.StartedV1(**p.common(), started_on=given["started_on"]), p.work()


REFERRAL: EventMakers = {
    "receive": _referral(referrals.ReceivedV1),
    "accept": _referral(referrals.AcceptedV1, "first_contact_on", "place"),
    "waitlist": _referral(referrals.WaitlistedV1, "rank", "expected_on"),
    "decline": _referral(referrals.DeclinedV1),
    "redirect": Maker(referrals.RedirectedV1, _redirected),
    "cancel": _referral(referrals.CancelledV1),
    "lapse": Maker(referrals.CancelledV1, _lapsed),
    "end-agreement": _agreement_ended(referrals.CancelledV1),
    "start": _referral(referrals.StartedV1, "started_on", "answered_by", "answered_by_id"),
    "complete": _referral(referrals.CompletedV1),
    "interrupt": _referral(referrals.InterruptedV1),
    "expire": _referral(referrals.ExpiredV1),
    "reopen": Maker(referrals.ReopenedV1, _reopened),
    "suggest": Maker(referrals.SuggestedV1, _suggested),
    "void": _referral(referrals.VoidedV1, "reason"),
}
TRAINING: EventMakers = {
    "start": Maker(trainings.StartedV1, _training_started),
    "attendance-falling": _training(trainings.AttendanceFallingV1),
    "suspend": _training(trainings.SuspendedV1),
    "resume": _training(trainings.ResumedV1),
    "complete": _training(trainings.CompletedV1),
    "interrupt": _training(trainings.InterruptedV1),
    "cancel": _training(trainings.CancelledV1),
    "end-agreement": _agreement_ended(trainings.CancelledV1),
}
PLACEMENT: EventMakers = {
    "confirm": Maker(placements.ConfirmedV1, _confirmed),
    "refuse": _placement(placements.RefusedV1),
    "start": Maker(placements.StartedV1, _placement_started),
    "cancel": _placement(placements.CancelledV1),
    "end-agreement": _agreement_ended(placements.CancelledV1),
    "evaluate": _placement(placements.EvaluatedV1),
    "end": _placement(placements.EndedV1, "ended_on"),
    "follow-up": _placement(placements.FollowedUpV1, "months"),
}

EVENTS: Mapping[str, Mapping[str, type[Payload]]] = {
    "referral": {"send": referrals.SentV1, **{action: maker.event for action, maker in REFERRAL.items()}},
    "training": {"enrol": trainings.EnrolledV1, **{action: maker.event for action, maker in TRAINING.items()}},
    "placement": {"propose": placements.ProposedV1, **{action: maker.event for action, maker in PLACEMENT.items()}},
}
"""Life cycle → action → its type of event; `schemas/routing.py` says who is told of it."""
