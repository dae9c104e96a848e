"""From events to moments: the table of domain.md, section 2. No order of moments is ever an error."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from jalons.clock import local_date
from schemas import activity, beneficiary, placement, referral, training
from schemas.codes import ChosenBy, Goal, Moment
from schemas.envelope import Event, Payload

RULE = 1
"""The table's version; it is part of every derived event and of its id. It rises when a log that exists would be
told otherwise: a row for a type that no log holds yet changes nothing that was derived."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a person's way; announced while `entered_at` is None, open until `left_at`.

    first: the first event that spoke of it, its key beside the person. step: its identity, the referral's id if there
    is one. holder: the referral, training or placement that keeps it open and whose end ends it. cause: the event that
    entered it. *_at: when it happened; *_recorded: when the hub learnt it. last_event, last_at: the last act about it.
    resting: suspended, so that its silence means nothing. undone: when the hub learnt that it was not so: voided, or
    not left after all, which another step of the same identity then says.
    """

    first: UUID
    step: UUID
    moment: Moment
    at: str
    home: str
    holder: UUID
    last_event: UUID
    last_at: datetime
    goal: Goal | None = None
    chosen_by: ChosenBy | None = None
    follows: UUID | None = None
    cause: UUID | None = None
    entered_at: datetime | None = None
    entered_recorded: datetime | None = None
    left_at: datetime | None = None
    left_recorded: datetime | None = None
    stalled: bool = False
    resting: bool = False
    undone: datetime | None = None

    @property
    def open(self) -> bool:
        """Entered and not left."""
        return self.entered_at is not None and self.left_at is None

    @property
    def over(self) -> bool:
        """Left, or only announced and not to come any more."""
        return self.left_at is not None


Steps = Sequence[Step]


@dataclass(frozen=True, slots=True)
class Turn:
    """What one event does to a person's way. noted: announced, withdrawn or touched steps, of which nothing is told."""

    left: tuple[Step, ...] = ()
    entered: tuple[Step, ...] = ()
    noted: tuple[Step, ...] = ()

    @property
    def changed(self) -> tuple[Step, ...]:
        """Every step that is not as before."""
        return self.left + self.entered + self.noted


@dataclass(frozen=True, slots=True)
class Named:
    """What an event is about: the step it belongs to, what holds that step, where, and at which moment."""

    step: UUID
    holder: UUID
    moment: Moment
    at: str
    home: str


Row = Callable[[Steps, Event, Named], Turn]


def turn(steps: Steps, event: Event) -> Turn:
    """What an event does to a person's way. A step it says nothing of is only touched by it, if a party acted.

    steps: those announced and open; for an event of TAKES_BACK also those that are over.
    """
    named = _named(event)
    if named is None:
        return Turn()
    kind = type(event.data)
    row = MOMENTS.get(kind)
    concerned = steps if kind in TAKES_BACK else [step for step in steps if not step.over]
    done = row(concerned, event, named) if row else Turn()
    if kind in THE_HUBS_OWN:
        return done
    changed = {step.first for step in done.changed}
    touched = (_touched(s, event) for s in steps if s.open and s.step == named.step and s.first not in changed)
    return replace(done, noted=(*done.noted, *touched))


def after(steps: Steps, done: Turn) -> list[Step]:
    """What is known of the way once a turn is taken, as the next event needs it."""
    known = {step.first: step for step in steps} | {step.first: step for step in done.changed}
    return [step for step in known.values() if step.undone is None]


def _named(event: Event) -> Named | None:
    match event.data:
        case beneficiary.RegisteredV1() | beneficiary.ResumedV1() | beneficiary.LeftV1() as b:
            return Named(event.id, event.id, "accueil", b.home, b.home)
        case referral.ReferralEvent() as r:
            return Named(r.referral_id, r.referral_id, r.moment, r.recipient, r.home)
        case training.TrainingEvent() as t:
            return Named(t.referral_id or t.training_id, t.training_id, t.moment, t.operator, t.home)
        case placement.PlacementEvent() as p:
            return Named(p.referral_id or p.placement_id, p.placement_id, "experience", p.employer, p.home)
        case activity.CreatedV1() as a:
            came_from = a.training_id or event.id
            return Named(a.referral_id or came_from, came_from, "preparation_emploi", a.said_by, a.home)
    return None


def _announces(_steps: Steps, event: Event, named: Named) -> Turn:
    """A referral says its sense before its step begins."""
    return Turn(noted=(_announced([], event, named),))


def _enters(steps: Steps, event: Event, named: Named) -> Turn:
    """The step begins, unless it is open at this moment: then what answers the referral holds it from now on."""
    same = [s for s in steps if s.step == named.step]
    going = next((s for s in same if s.open and s.moment == named.moment), None)
    if going is not None:
        holder = going.holder if named.holder == named.step else named.holder
        return Turn(noted=(replace(_touched(going, event), holder=holder),))
    entered = replace(
        _announced(same, event, named), cause=event.id, entered_at=event.time, entered_recorded=event.recorded
    )
    welcome = () if named.moment == "accueil" else tuple(s for s in steps if s.open and s.moment == "accueil")
    return Turn(left=tuple(_left(step, event) for step in welcome), entered=(entered,))


def _ends(steps: Steps, event: Event, named: Named) -> Turn:
    """What this one opened is left; what it had only announced will not come."""
    held = [s for s in steps if s.holder == named.holder]
    return Turn(
        left=tuple(_left(s, event) for s in held if s.open),
        noted=tuple(_left(s, event) for s in held if s.entered_at is None),
    )


def _person_left(steps: Steps, event: Event, _named: Named) -> Turn:
    """The welcome is over; what partners have under way ends when they say so."""
    return Turn(left=tuple(_left(s, event) for s in steps if s.open and s.moment == "accueil"))


def _person_resumed(steps: Steps, event: Event, _named: Named) -> Turn:
    """The silence of a pause is nobody's: it is counted anew from here."""
    return Turn(noted=tuple(_touched(s, event) for s in steps if s.open))


def _rests(steps: Steps, event: Event, named: Named) -> Turn:
    """The step stays open, and its silence is not counted until it goes on or ends."""
    resting = isinstance(event.data, training.SuspendedV1)
    held = (s for s in steps if s.open and s.holder == named.holder)
    return Turn(noted=tuple(replace(_touched(s, event), resting=resting) for s in held))


def _reopened(steps: Steps, event: Event, named: Named) -> Turn:
    """What the end closed is open again, as if never left: it is entered anew, since it was told to have been left."""
    ended = [s for s in steps if s.over and s.holder == named.holder]
    last = sorted((s for s in ended if s.entered_at is not None), key=lambda s: (s.left_recorded, s.first))[-1:]
    announced = (replace(s, left_at=None, left_recorded=None) for s in ended if s.entered_at is None)
    return Turn(
        entered=tuple(_again(s, event) for s in last),
        noted=(*announced, *(replace(s, undone=event.recorded) for s in last)),
    )


def _voided(steps: Steps, event: Event, named: Named) -> Turn:
    """What this one opened should never have been; a training or placement that answered it keeps its own step.

    If nothing else began since, the welcome that it ended goes on.
    """
    held = [replace(_over(s, event), undone=event.recorded) for s in steps if s.holder == named.holder]
    gone = {s.first for s in held}
    others = [s for s in steps if s.first not in gone and s.entered_at is not None]
    causes = {s.cause for s in held if s.cause}
    welcome = [s for s in others if s.moment == "accueil" and s.over and s.last_event in causes]
    if len(others) > len(welcome):
        welcome = []
    was_open = {s.first for s in steps if s.open}
    return Turn(
        left=tuple(s for s in held if s.first in was_open),
        entered=tuple(_again(s, event) for s in welcome),
        noted=(
            *(s for s in held if s.first not in was_open),
            *(replace(s, undone=event.recorded) for s in welcome),
        ),
    )


def _referral_started(steps: Steps, event: Event, named: Named) -> Turn:
    """The training or placement that answers a referral is the step, not the referral."""
    answered = isinstance(event.data, referral.StartedV1) and event.data.answered_by
    return Turn() if answered else _enters(steps, event, named)


def _placement_confirmed(steps: Steps, event: Event, named: Named) -> Turn:
    """Preparing for it is a step only if there is a day to prepare."""
    data = event.data
    if isinstance(data, placement.ConfirmedV1) and data.planned_start <= local_date(event.time):
        return Turn()
    return _enters(steps, event, replace(named, moment="preparation_emploi"))


def _placement_started(steps: Steps, event: Event, named: Named) -> Turn:
    prepared = [s for s in steps if s.open and s.holder == named.holder and s.moment == "preparation_emploi"]
    begun = _enters(steps, event, named)
    return replace(begun, left=(*(_left(step, event) for step in prepared), *begun.left))


def _announced(same: Steps, event: Event, named: Named) -> Step:
    """The step as this event names it; what it does not say of its sense, the steps of the same identity do."""
    waiting = next((s for s in same if s.entered_at is None), None)
    goal, chosen_by, follows = _sense(event)
    for known in same:
        goal, chosen_by, follows = goal or known.goal, chosen_by or known.chosen_by, follows or known.follows
    return Step(
        first=waiting.first if waiting else event.id,
        step=named.step,
        moment=named.moment,
        at=named.at,
        home=named.home,
        holder=named.holder,
        last_event=event.id,
        last_at=event.time,
        goal=goal,
        chosen_by=chosen_by,
        follows=follows,
    )


def _sense(event: Event) -> tuple[Goal | None, ChosenBy | None, UUID | None]:
    """Goal, who chose it and which step it builds on, as far as this event says; sealed parts may be unknown."""
    follows = event.data.follows if isinstance(event.data, referral.SentV1) else None
    match event.sealed:
        case referral.SentSealed() | training.TrainingSealed() | placement.PlacementSealed() as said:
            return said.goal, said.chosen_by, follows
    return None, None, follows


def _left(step: Step, event: Event) -> Step:
    """Left at the event's time, but never before it was entered: partners may report in any order."""
    return replace(
        step,
        left_at=max(step.entered_at or event.time, event.time),
        left_recorded=event.recorded,
        last_event=event.id,
        last_at=event.time,
    )


def _over(step: Step, event: Event) -> Step:
    return step if step.over else _left(step, event)


def _again(step: Step, event: Event) -> Step:
    """A step that was left, as it is known from now on: never left. Under its own `first`, so that what the hub knew
    before can still be asked for."""
    known = replace(step, first=event.id, entered_recorded=event.recorded, left_at=None, left_recorded=None)
    return _touched(known, event)


def _touched(step: Step, event: Event) -> Step:
    return replace(step, last_event=event.id, last_at=event.time, stalled=False)


MOMENTS: Mapping[type[Payload], Row] = {
    beneficiary.RegisteredV1: _enters,
    beneficiary.ResumedV1: _person_resumed,
    beneficiary.LeftV1: _person_left,
    referral.SentV1: _announces,
    referral.DeclinedV1: _ends,
    referral.RedirectedV1: _ends,
    referral.CancelledV1: _ends,
    referral.ExpiredV1: _ends,
    referral.StartedV1: _referral_started,
    referral.CompletedV1: _ends,
    referral.InterruptedV1: _ends,
    referral.ReopenedV1: _reopened,
    referral.VoidedV1: _voided,
    training.StartedV1: _enters,
    training.SuspendedV1: _rests,
    training.ResumedV1: _rests,
    training.CompletedV1: _ends,
    training.InterruptedV1: _ends,
    training.CancelledV1: _ends,
    placement.ConfirmedV1: _placement_confirmed,
    placement.RefusedV1: _ends,
    placement.CancelledV1: _ends,
    placement.StartedV1: _placement_started,
    placement.EndedV1: _ends,
    activity.CreatedV1: _ends,
}

TAKES_BACK = frozenset[type[Payload]]((referral.ReopenedV1, referral.VoidedV1))
"""What looks back at steps that are over."""

THE_HUBS_OWN: frozenset[type[Payload]] = frozenset(
    {
        referral.ReminderDueV1,
        referral.EscalatedV1,
        referral.SuggestedV1,
        referral.NewsDueV1,
        training.NewsDueV1,
        placement.NewsDueV1,
        placement.EndNearV1,
        placement.FollowUpDueV1,
    }
)
"""That the hub or the coordinator asks for news is no news: a step stays as silent as it was."""
