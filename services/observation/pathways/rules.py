"""Derives moments from events by one table (domain.md, section 2). No order of moments is an error."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from jalons.clock import derived_id, local_date
from schemas import activity, beneficiary, placement, referral, training
from schemas.codes import ChosenBy, Goal, Moment
from schemas.envelope import Event, Payload

RULE = 1
"""Version of the table, part of every derived event and of its id. Raise it when a change would derive other events
from an existing log; a row for an event type that no log contains yet does not."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a person's pathway: announced while `entered_at` is None, open until `left_at`.

    first_event: id of the event that created this row; with the person, its key. step: identity, the referral's id if
    there is one. partner: where the step takes place. holder: the referral, training or placement whose end ends the
    step. cause: id of the event that entered it. *_at: when it happened; *_recorded: when the hub learned it.
    last_event, last_at: the last activity. suspended: the step cannot stall. retracted_at: when the hub learned that
    this row is wrong, because the step was voided or reopened; a reopened step continues in another row with the same
    `step`.
    """

    first_event: UUID
    step: UUID
    moment: Moment
    partner: str
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
    suspended: bool = False
    retracted_at: datetime | None = None

    @property
    def open(self) -> bool:
        """Entered and not left."""
        return self.entered_at is not None and self.left_at is None

    @property
    def closed(self) -> bool:
        """Left, or announced and then withdrawn."""
        return self.left_at is not None


Steps = Sequence[Step]


@dataclass(frozen=True, slots=True)
class Effect:
    """What one event does to a person's steps. left, entered: each produces a derived event. updated: steps that
    changed without one (announced, withdrawn, suspended, active again)."""

    left: tuple[Step, ...] = ()
    entered: tuple[Step, ...] = ()
    updated: tuple[Step, ...] = ()

    @property
    def changed(self) -> tuple[Step, ...]:
        """Every step that differs from before."""
        return self.left + self.entered + self.updated


@dataclass(frozen=True, slots=True)
class StepRef:
    """The step an event is about: its identity, its holder, the partner, the moment."""

    step: UUID
    holder: UUID
    moment: Moment
    partner: str
    home: str


Rule = Callable[[Steps, Event, StepRef], Effect]


def effect_of(steps: Steps, event: Event) -> Effect:
    """What an event does to a person's steps. Any act of a party also counts as activity of the open steps it is about.

    steps: the announced and open ones; for an event type in RETRACTING also the closed ones.
    """
    ref = _step_ref(event)
    if ref is None:
        return Effect()
    kind = type(event.data)
    rule = MOMENTS.get(kind)
    candidates = steps if kind in RETRACTING else [step for step in steps if not step.closed]
    effect = rule(candidates, event, ref) if rule else Effect()
    if kind in PROMPTS:
        return effect
    changed = {step.first_event for step in effect.changed}
    active = (_active(s, event) for s in steps if s.open and s.step == ref.step and s.first_event not in changed)
    return replace(effect, updated=(*effect.updated, *active))


def steps_after(steps: Steps, effect: Effect) -> list[Step]:
    """The steps as the next event needs them: with the effect applied, without retracted ones."""
    known = {step.first_event: step for step in steps} | {step.first_event: step for step in effect.changed}
    return [step for step in known.values() if step.retracted_at is None]


def _step_ref(event: Event) -> StepRef | None:
    match event.data:
        case beneficiary.RegisteredV1() | beneficiary.ResumedV1() | beneficiary.LeftV1() as b:
            step = derived_id(event.id, "step")  # the home partner is shown steps, and no event's own id
            return StepRef(step, step, "accueil", b.home, b.home)
        case referral.ReferralEvent() as r:
            return StepRef(r.referral_id, r.referral_id, r.moment, r.recipient, r.home)
        case training.TrainingEvent() as t:
            return StepRef(t.referral_id or t.training_id, t.training_id, t.moment, t.operator, t.home)
        case placement.PlacementEvent() as p:
            return StepRef(p.referral_id or p.placement_id, p.placement_id, "experience", p.employer, p.home)
        case activity.CreatedV1() as a:
            holder = a.training_id or a.activity_id
            return StepRef(a.referral_id or holder, holder, "preparation_emploi", a.said_by, a.home)
    return None


def _announce(_steps: Steps, event: Event, ref: StepRef) -> Effect:
    """A referral states goal and choice before its step begins."""
    return Effect(updated=(_announced([], event, ref),))


def _enter(steps: Steps, event: Event, ref: StepRef) -> Effect:
    """The step begins. If it is already open at this moment, a training or placement that answers the referral becomes
    its holder."""
    same = [s for s in steps if s.step == ref.step]
    current = next((s for s in same if s.open and s.moment == ref.moment), None)
    if current is not None:
        holder = current.holder if ref.holder == ref.step else ref.holder
        return Effect(updated=(replace(_active(current, event), holder=holder),))
    entered = replace(
        _announced(same, event, ref), cause=event.id, entered_at=event.time, entered_recorded=event.recorded
    )
    accueil = () if ref.moment == "accueil" else tuple(s for s in steps if s.open and s.moment == "accueil")
    return Effect(left=tuple(_left(step, event) for step in accueil), entered=(entered,))


def _end(steps: Steps, event: Event, ref: StepRef) -> Effect:
    """The holder's open steps are left; those it had only announced are withdrawn."""
    held = [s for s in steps if s.holder == ref.holder]
    return Effect(
        left=tuple(_left(s, event) for s in held if s.open),
        updated=tuple(_left(s, event) for s in held if s.entered_at is None),
    )


def _person_left(steps: Steps, event: Event, _ref: StepRef) -> Effect:
    """Accueil ends; what partners have under way ends when they report it."""
    return Effect(left=tuple(_left(s, event) for s in steps if s.open and s.moment == "accueil"))


def _person_resumed(steps: Steps, event: Event, _ref: StepRef) -> Effect:
    """The time without activity starts again at zero: nobody was to act during the pause."""
    return Effect(updated=tuple(_active(s, event) for s in steps if s.open))


def _suspend_or_resume(steps: Steps, event: Event, ref: StepRef) -> Effect:
    """The step stays open, and cannot stall until it resumes or ends."""
    suspended = isinstance(event.data, training.SuspendedV1)
    held = (s for s in steps if s.open and s.holder == ref.holder)
    return Effect(updated=tuple(replace(_active(s, event), suspended=suspended) for s in held))


def _reopen(steps: Steps, event: Event, ref: StepRef) -> Effect:
    """The step that the end closed is open again. It is entered anew, since it was published as left."""
    ended = [s for s in steps if s.closed and s.holder == ref.holder]
    last = sorted((s for s in ended if s.entered_at is not None), key=lambda s: (s.left_recorded, s.first_event))[-1:]
    announced = (replace(s, left_at=None, left_recorded=None) for s in ended if s.entered_at is None)
    return Effect(
        entered=tuple(_reentered(s, event) for s in last),
        updated=(*announced, *(replace(s, retracted_at=event.recorded) for s in last)),
    )


def _void(steps: Steps, event: Event, ref: StepRef) -> Effect:
    """The holder's steps are retracted; a training or placement that answered the referral keeps its own step.

    If no other step began since, the accueil that the voided step ended is open again.
    """
    held = [replace(_closed(s, event), retracted_at=event.recorded) for s in steps if s.holder == ref.holder]
    voided = {s.first_event for s in held}
    others = [s for s in steps if s.first_event not in voided and s.entered_at is not None]
    causes = {s.cause for s in held if s.cause}
    accueil = [s for s in others if s.moment == "accueil" and s.closed and s.last_event in causes]
    if len(others) > len(accueil):
        accueil = []
    was_open = {s.first_event for s in steps if s.open}
    return Effect(
        left=tuple(s for s in held if s.first_event in was_open),
        entered=tuple(_reentered(s, event) for s in accueil),
        updated=(
            *(s for s in held if s.first_event not in was_open),
            *(replace(s, retracted_at=event.recorded) for s in accueil),
        ),
    )


def _start_referral(steps: Steps, event: Event, ref: StepRef) -> Effect:
    """If a training or placement answers the referral, that is the step, not the referral."""
    answered = isinstance(event.data, referral.StartedV1) and event.data.answered_by
    return Effect() if answered else _enter(steps, event, ref)


def _confirm_placement(steps: Steps, event: Event, ref: StepRef) -> Effect:
    """Preparation is a step only if the placement starts on a later day."""
    data = event.data
    if isinstance(data, placement.ConfirmedV1) and data.planned_start <= local_date(event.time):
        return Effect()
    return _enter(steps, event, replace(ref, moment="preparation_emploi"))


def _start_placement(steps: Steps, event: Event, ref: StepRef) -> Effect:
    prepared = [s for s in steps if s.open and s.holder == ref.holder and s.moment == "preparation_emploi"]
    effect = _enter(steps, event, ref)
    return replace(effect, left=(*(_left(step, event) for step in prepared), *effect.left))


def _announced(same: Steps, event: Event, ref: StepRef) -> Step:
    """The step as this event describes it. What the event omits of its meaning comes from steps of the same
    identity."""
    announced = next((s for s in same if s.entered_at is None), None)
    goal, chosen_by, follows = _meaning(event)
    for known in same:
        goal, chosen_by, follows = goal or known.goal, chosen_by or known.chosen_by, follows or known.follows
    return Step(
        first_event=announced.first_event if announced else event.id,
        step=ref.step,
        moment=ref.moment,
        partner=ref.partner,
        home=ref.home,
        holder=ref.holder,
        last_event=event.id,
        last_at=event.time,
        goal=goal,
        chosen_by=chosen_by,
        follows=follows,
    )


def _meaning(event: Event) -> tuple[Goal | None, ChosenBy | None, UUID | None]:
    """Goal, who chose it, and the step it builds on, where the event states them; a sealed part may be unreadable."""
    follows = event.data.follows if isinstance(event.data, referral.SentV1) else None
    match event.sealed:
        case referral.SentSealed() | training.TrainingSealed() | placement.PlacementSealed() as sealed:
            return sealed.goal, sealed.chosen_by, follows
    return None, None, follows


def _left(step: Step, event: Event) -> Step:
    """Left at the event's time, or when it was entered if that is later: partners may report in any order."""
    return replace(
        step,
        left_at=max(step.entered_at or event.time, event.time),
        left_recorded=event.recorded,
        last_event=event.id,
        last_at=event.time,
    )


def _closed(step: Step, event: Event) -> Step:
    return step if step.closed else _left(step, event)


def _reentered(step: Step, event: Event) -> Step:
    """A closed step as it is known from now on: never left. A new row, so that `as_of` still finds the old one."""
    known = replace(step, first_event=event.id, entered_recorded=event.recorded, left_at=None, left_recorded=None)
    return _active(known, event)


def _active(step: Step, event: Event) -> Step:
    return replace(step, last_event=event.id, last_at=event.time, stalled=False)


MOMENTS: Mapping[type[Payload], Rule] = {
    beneficiary.RegisteredV1: _enter,
    beneficiary.ResumedV1: _person_resumed,
    beneficiary.LeftV1: _person_left,
    referral.SentV1: _announce,
    referral.DeclinedV1: _end,
    referral.RedirectedV1: _end,
    referral.CancelledV1: _end,
    referral.ExpiredV1: _end,
    referral.StartedV1: _start_referral,
    referral.CompletedV1: _end,
    referral.InterruptedV1: _end,
    referral.ReopenedV1: _reopen,
    referral.VoidedV1: _void,
    training.StartedV1: _enter,
    training.SuspendedV1: _suspend_or_resume,
    training.ResumedV1: _suspend_or_resume,
    training.CompletedV1: _end,
    training.InterruptedV1: _end,
    training.CancelledV1: _end,
    placement.ConfirmedV1: _confirm_placement,
    placement.RefusedV1: _end,
    placement.CancelledV1: _end,
    placement.StartedV1: _start_placement,
    placement.EndedV1: _end,
    activity.CreatedV1: _end,
}

RETRACTING = frozenset[type[Payload]]((referral.ReopenedV1, referral.VoidedV1))
"""Event types that change closed steps."""

PROMPTS: frozenset[type[Payload]] = frozenset(
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
"""Prompts by the hub or the coordinator. They are no activity: a prompted step can still stall."""
