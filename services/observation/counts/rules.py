"""What each event adds to the counts, and what is taken off again; a trial's records never count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from jalons.clock import month_of
from schemas import activity, beneficiary, need, placement, referral, training
from schemas.codes import Moment
from schemas.envelope import Event, Payload

DIMENSIONS = ("month", "home", "partner", "moment")
"""What counts are kept by. partner: who receives, teaches, employs or says an activity; of a person's registration and
needs, the home; of a need of nobody, who said it, as its home too."""


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


TAKES_OFF = frozenset[type[Payload]]((referral.ReopenedV1, referral.VoidedV1))
"""Events of a referral that change what its earlier ones have added."""

ENDS: frozenset[type[Payload]] = frozenset({referral.DeclinedV1, referral.InterruptedV1, referral.CompletedV1})
"""What a reopening takes back: the last of them."""


def change(event: Event, earlier: Sequence[Event] = ()) -> Counter[Cell]:
    """What an event adds to each cell, less than nothing where it takes off. earlier: for an event of TAKES_OFF, what
    happened to the same referral before it, in order; other events do not need it.

    A voided referral takes off all that it had added, a reopened one the end that is taken back, with the need that it
    left unmet.
    """
    if isinstance(event.data, referral.VoidedV1):
        return Counter({cell: -n for cell, n in net(earlier).items()})
    if isinstance(event.data, referral.ReopenedV1):
        return Counter({cell: -1 for each in _last_end(earlier) if (cell := counted(each))})
    cell = counted(event)
    return Counter({cell: 1}) if cell else Counter()


def _last_end(events: Sequence[Event]) -> Iterator[Event]:
    """The last end of a referral, and the unmet need that it caused."""
    end = next((each for each in reversed(events) if type(each.data) in ENDS), None)
    if end is not None:
        yield end
        yield from (each for each in events if isinstance(each.data, need.UnmetV1) and each.causation == end.id)


def net(events: Sequence[Event]) -> Counter[Cell]:
    """What the events of one referral, in order, add in all; cells that come to nothing are left out."""
    total: Counter[Cell] = Counter()
    for number, event in enumerate(events):
        total.update(change(event, events[:number]))
    return Counter({cell: n for cell, n in total.items() if n})


def counted(event: Event) -> Cell | None:
    """The cell that an event adds one to by itself; None if it is not counted."""
    measure = MEASURES.get(type(event.data))
    if measure is None or getattr(event.data, "trial", False):
        return None
    partner, moment = measure.falls(event.data)
    home: str = getattr(event.data, "home", partner)
    return Cell(measure.name, month_of(event.time), home, partner, moment)


def _welcomed(data: beneficiary.BeneficiaryEvent) -> tuple[str, Moment]:
    return data.home, "accueil"


def _created(data: activity.CreatedV1) -> tuple[str, Moment]:
    return data.said_by, "preparation_emploi"


def _needed(data: need.NeedOfAPerson) -> tuple[str, Moment]:
    return data.home, "accueil"


def _unmet(data: need.UnmetV1) -> tuple[str, Moment]:
    return data.home, data.moment


def _reported(data: need.ReportedV1) -> tuple[str, Moment]:
    return data.said_by, "accueil"


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
    referral.WaitlistedV1: Measure("referrals_waitlisted", "Referrals put on the receiver's waiting list", _referred),
    referral.DeclinedV1: Measure("referrals_declined", "Referrals declined by the receiver or the person", _referred),
    referral.RedirectedV1: Measure("referrals_redirected", "Referrals sent on to another receiver", _referred),
    referral.CancelledV1: Measure("referrals_cancelled", "Referrals the referrer took back", _referred),
    referral.InterruptedV1: Measure("referrals_interrupted", "Referrals that stopped before their end", _referred),
    referral.ExpiredV1: Measure("referrals_expired", "Referrals nobody answered in time", _referred),
    training.StartedV1: Measure("trainings_started", "Trainings, bilans and accompaniments begun", _taught),
    training.CompletedV1: Measure("trainings_completed", "Trainings, bilans and accompaniments completed", _taught),
    training.InterruptedV1: Measure("trainings_interrupted", "Trainings that stopped before their end", _taught),
    placement.StartedV1: Measure("placements_started", "Placements begun", _employed),
    placement.EndedV1: Measure("placements_ended", "Placements that ended", _employed),
    activity.CreatedV1: Measure("activities_created", "Activities of their own that persons created", _created),
    need.ExpressedV1: Measure("needs_expressed", "Needs of persons that were expressed", _needed),
    need.UnmetV1: Measure("needs_unmet", "Declines for want of a place or a service, or for an obstacle", _unmet),
    need.ReportedV1: Measure(
        "needs_reported", "Needs that partners see in communes, of nobody in particular", _reported
    ),
}
