"""What each event adds to the counts; a trial's records never count."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from jalons.clock import month_of
from schemas import beneficiary, placement, referral, training
from schemas.codes import Moment
from schemas.envelope import Event, Payload

DIMENSIONS = ("month", "home", "partner", "moment")
"""What counts are kept by. partner: who receives, teaches or employs; of a person's registration, the home."""


class Cell(NamedTuple):
    """One count. month: `2026-11`, in Brussels, of when it happened."""

    measure: str
    month: str
    home: str
    partner: str
    moment: Moment


class Measure(NamedTuple):
    """A measure's name, what it says, and where an event of its type falls: (partner, moment)."""

    name: str
    meaning: str
    falls: Callable[[Any], tuple[str, Moment]]


def counted(event: Event) -> Cell | None:
    """The cell that an event adds one to; None if it is not counted."""
    measure = MEASURES.get(type(event.data))
    if measure is None or getattr(event.data, "trial", False):
        return None
    partner, moment = measure.falls(event.data)
    home: str = getattr(event.data, "home")  # noqa: B009 - every payload counted is a person's, and those name it
    return Cell(measure.name, month_of(event.time), home, partner, moment)


def _welcomed(data: beneficiary.BeneficiaryEvent) -> tuple[str, Moment]:
    return data.home, "accueil"


def _referred(data: referral.ReferralEvent) -> tuple[str, Moment]:
    return data.recipient, data.moment


def _taught(data: training.TrainingEvent) -> tuple[str, Moment]:
    return data.operator, data.moment


def _employed(data: placement.PlacementEvent) -> tuple[str, Moment]:
    return data.employer, "experience"


MEASURES: Mapping[type[Payload], Measure] = {
    beneficiary.RegisteredV1: Measure("persons_new", "Persons registered by a home partner", _welcomed),
    referral.SentV1: Measure("referrals_sent", "Referrals sent", _referred),
    referral.AcceptedV1: Measure("referrals_accepted", "Referrals the receiver accepted", _referred),
    referral.DeclinedV1: Measure("referrals_declined", "Referrals declined by the receiver or the person", _referred),
    training.StartedV1: Measure("trainings_started", "Trainings, bilans and accompaniments begun", _taught),
    placement.StartedV1: Measure("placements_started", "Placements begun", _employed),
}
