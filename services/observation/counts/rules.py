"""What each event adds to the counts and what a correction takes off. Records of a trial are never counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from jalons.clock import month_of
from schemas import activity, beneficiary, need, placement, referral, training
from schemas.codes import Moment
from schemas.envelope import Event, Payload

DIMENSIONS = ("month", "home", "partner", "moment")
"""partner: the receiver, operator, employer or reporter of an activity; for registrations and needs of a person, the
home; for a need without a person, its reporter, which is also its home."""


class Cell(NamedTuple):
    """The coordinates of one count. month: `2026-11`, in Brussels, of when it happened."""

    measure: str
    month: str
    home: str
    partner: str
    moment: Moment


class Measure(NamedTuple):
    """A measure's name and meaning. locate: payload → (partner, moment)."""

    name: str
    meaning: str
    locate: Callable[[Any], tuple[str, Moment]]


CORRECTIONS = frozenset[type[Payload]]((referral.ReopenedV1, referral.VoidedV1))
"""Events of a referral that take off what its earlier events added."""

ENDS: frozenset[type[Payload]] = frozenset({referral.DeclinedV1, referral.InterruptedV1, referral.CompletedV1})
"""Ends of a referral. A reopening takes off the last one."""


def delta(event: Event, earlier: Sequence[Event] = ()) -> Counter[Cell]:
    """What an event adds to each cell; negative where it takes off.

    earlier: for an event in CORRECTIONS, the earlier events of the same referral, in order; ignored for others. Voiding
    takes off everything the referral added; reopening takes off its last end and the unmet need that end caused.
    """
    if isinstance(event.data, referral.VoidedV1):
        return Counter({cell: -n for cell, n in net(earlier).items()})
    if isinstance(event.data, referral.ReopenedV1):
        return Counter({cell: -1 for each in _last_end(earlier) if (cell := cell_of(each))})
    cell = cell_of(event)
    return Counter({cell: 1}) if cell else Counter()


def _last_end(events: Sequence[Event]) -> Iterator[Event]:
    """The last end of a referral, and the unmet need that it caused."""
    end = next((each for each in reversed(events) if type(each.data) in ENDS), None)
    if end is not None:
        yield end
        yield from (each for each in events if isinstance(each.data, need.UnmetV1) and each.causation == end.id)


def net(events: Sequence[Event]) -> Counter[Cell]:
    """The total that the events of one referral, in order, add to each cell; zeros are left out."""
    total: Counter[Cell] = Counter()
    for number, event in enumerate(events):
        total.update(delta(event, events[:number]))
    return Counter({cell: n for cell, n in total.items() if n})


def cell_of(event: Event) -> Cell | None:
    """The cell to which an event adds one; None if it is not counted."""
    measure = MEASURES.get(type(event.data))
    if measure is None or getattr(event.data, "trial", False):
        return None
    partner, moment = measure.locate(event.data)
    home: str = getattr(event.data, "home", partner)
    return Cell(measure.name, month_of(event.time), home, partner, moment)


def _beneficiary(data: beneficiary.BeneficiaryEvent) -> tuple[str, Moment]:
    return data.home, "accueil"


def _activity(data: activity.CreatedV1) -> tuple[str, Moment]:
    return data.said_by, "preparation_emploi"


def _need(data: need.NeedOfAPerson) -> tuple[str, Moment]:
    return data.home, "accueil"


def _unmet_need(data: need.UnmetV1) -> tuple[str, Moment]:
    return data.home, data.moment


def _reported_need(data: need.ReportedV1) -> tuple[str, Moment]:
    return data.said_by, "accueil"


def _referral(data: referral.ReferralEvent) -> tuple[str, Moment]:
    return data.recipient, data.moment


def _training(data: training.TrainingEvent) -> tuple[str, Moment]:
    return data.operator, data.moment


def _placement(data: placement.PlacementEvent) -> tuple[str, Moment]:
    return data.employer, "experience"


MEASURES: Mapping[type[Payload], Measure] = {
    beneficiary.RegisteredV1: Measure("persons_new", "Persons registered by a home partner", _beneficiary),
    referral.SentV1: Measure("referrals_sent", "Referrals sent", _referral),
    referral.AcceptedV1: Measure("referrals_accepted", "Referrals the receiver accepted", _referral),
    referral.WaitlistedV1: Measure("referrals_waitlisted", "Referrals put on the receiver's waiting list", _referral),
    referral.DeclinedV1: Measure("referrals_declined", "Referrals declined by the receiver or the person", _referral),
    referral.RedirectedV1: Measure("referrals_redirected", "Referrals sent on to another receiver", _referral),
    referral.CancelledV1: Measure("referrals_cancelled", "Referrals the referrer took back", _referral),
    referral.InterruptedV1: Measure("referrals_interrupted", "Referrals that stopped before their end", _referral),
    referral.ExpiredV1: Measure("referrals_expired", "Referrals nobody answered in time", _referral),
    training.StartedV1: Measure("trainings_started", "Trainings, bilans and accompaniments begun", _training),
    training.CompletedV1: Measure("trainings_completed", "Trainings, bilans and accompaniments completed", _training),
    training.InterruptedV1: Measure("trainings_interrupted", "Trainings that stopped before their end", _training),
    placement.StartedV1: Measure("placements_started", "Placements begun", _placement),
    placement.EndedV1: Measure("placements_ended", "Placements that ended", _placement),
    activity.CreatedV1: Measure("activities_created", "Activities of their own that persons created", _activity),
    need.ExpressedV1: Measure("needs_expressed", "Needs of persons that were expressed", _need),
    need.UnmetV1: Measure("needs_unmet", "Declines for want of a place or a service, or for an obstacle", _unmet_need),
    need.ReportedV1: Measure(
        "needs_reported", "Needs that partners see in communes, of nobody in particular", _reported_need
    ),
}
