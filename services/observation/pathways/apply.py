"""Applies a batch of events in the caller's transaction: timeline, steps, counts and derived events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from uuid import UUID

from sqlalchemy import Connection

from jalons import clock
from jalons.messaging.outbox import Cause, Draft, Outbox
from jalons.privacy import forgotten
from jalons.privacy.disclosure import Alias, parties
from schemas import beneficiary, consent, need, placement, referral, training
from schemas.envelope import Event
from schemas.pathway import MomentEnteredV1, MomentLeftV1, PathwayEvent
from schemas.referral import ReferralEvent
from schemas.topics import PATHWAYS
from services.observation.counts.rows import add_counts
from services.observation.counts.rules import CORRECTIONS, Cell, delta
from services.observation.pathways import rows
from services.observation.pathways.rules import RETRACTING, RULE, Effect, Step, effect_of, steps_after
from services.observation.stream.rows import add_derivations, take_positions


@dataclass(frozen=True, slots=True)
class Project:
    """Observation's `Apply`. The caller has claimed progress, which locks each person: nobody else derives meanwhile.

    forget_key: drops a person's key from the cache.
    """

    outbox: Outbox
    alias: Alias
    forget_key: Callable[[str], None]
    now: Callable[[], datetime] = clock.now

    def __call__(self, conn: Connection, events: Sequence[Event], *, publish: bool = True) -> None:
        """Apply a batch. Of the directory's events only counted needs matter: a person's events carry everything that
        decides what follows.

        Positions in the stream are taken last, since other writers wait from then on.
        """
        add_counts(conn, _counts(conn, events))
        pathway = [event for event in events if event.data.TOPIC == PATHWAYS]
        if not pathway:
            return
        effects, changed = _effects(_known_steps(conn, pathway), pathway)
        rows.save_steps(conn, changed)
        rows.add_aliases(conn, self._aliases(pathway))
        rows.save_paused(conn, _paused(pathway))
        rows.save_hidden(conn, _hidden(pathway))
        drafts = [
            list(_drafts(event, effect)) if publish else [] for event, effect in zip(pathway, effects, strict=True)
        ]
        derived = self.outbox.append(conn, [draft for each in drafts for draft in each], self.now())
        self._store(conn, pathway, derived, list(map(len, drafts)))
        for event in pathway:
            if isinstance(event.data, beneficiary.ErasedV1):
                self._forget(conn, event.subject, event.data)

    def _store(self, conn: Connection, pathway: Sequence[Event], derived: Sequence[Event], numbers: list[int]) -> None:
        """Give each event its position, and after it the events derived from it. numbers: how many each has."""
        positions = count(take_positions(conn, len(pathway) + len(derived)))
        rest = iter(derived)
        followed, own = [], []
        for event, number in zip(pathway, numbers, strict=True):
            followed.append((next(positions), event))
            own += [(next(positions), next(rest)) for _ in range(number)]
        rows.add_to_timeline(conn, followed)
        add_derivations(conn, own)

    def _forget(self, conn: Connection, ref: str, erased: beneficiary.ErasedV1) -> None:
        """Counts stay: they name nobody."""
        rows.forget(conn, ref, [self.alias(ref, partner) for partner in erased.partners])
        forgotten.note(conn, erased.receipt_id, self.now())
        self.forget_key(ref)

    def _aliases(self, events: Sequence[Event]) -> dict[UUID, tuple[str, str]]:
        """The aliases of the parties other than the home: alias → (person, partner)."""
        known = {
            (event.subject, partner)
            for event in events
            for field, partner in parties(event).items()
            if field != "home" and partner != getattr(event.data, "home", None)
        }
        return {self.alias(*pair): pair for pair in sorted(known)}


def _paused(events: Sequence[Event]) -> dict[str, bool]:
    """Whether each person is paused after a batch; only persons whose accompaniment changes."""
    return {
        event.subject: isinstance(event.data, beneficiary.PausedV1)
        for event in events
        if isinstance(event.data, beneficiary.AccompanimentEvent)
    }


def _hidden(events: Sequence[Event]) -> dict[tuple[str, str], bool]:
    """Whether each (person, partner) is hidden after a batch. The end of an agreement or of a convention hides; what
    covers a partner again shows again, and so does an act of the home partner with the partner, which needs one."""
    found: dict[tuple[str, str], bool] = {}
    for event in events:
        match event.data:
            case consent.CoverEnded() as ended:
                found |= {(event.subject, each): True for each in ended.partners}
            case consent.GivenV1() as given:
                found |= {(event.subject, each): False for each in given.restored}
            case consent.RestoredV1() as restored:
                found |= {(event.subject, each): False for each in restored.partners}
            case referral.SentV1() | training.EnrolledV1() | placement.ProposedV1() as begun:
                if event.partner == begun.home:
                    found |= {(event.subject, each): False for each in parties(event).values() if each != begun.home}
    return found


def _known_steps(conn: Connection, events: Sequence[Event]) -> dict[str, list[Step]]:
    """The steps that a batch may change, by person."""
    with_closed = {event.subject for event in events if type(event.data) in RETRACTING}
    return rows.known_steps(conn, {event.subject for event in events}, with_closed)


def _counts(conn: Connection, events: Sequence[Event]) -> dict[Cell, int]:
    """What a batch that is not yet in the timeline adds to the counts, without zeros."""
    corrected = {
        event.data.referral_id: event.subject
        for event in events
        if isinstance(event.data, ReferralEvent) and type(event.data) in CORRECTIONS
    }
    earlier = rows.events_of_referrals(conn, corrected) if corrected else {}
    total: Counter[Cell] = Counter()
    for event in events:
        its = earlier.get(event.data.referral_id) if isinstance(event.data, ReferralEvent | need.UnmetV1) else None
        total.update(delta(event, its or ()))
        if its is not None:
            its.append(event)
    return {cell: n for cell, n in total.items() if n}


def _effects(
    known: Mapping[str, list[Step]], events: Sequence[Event]
) -> tuple[list[Effect], dict[tuple[str, UUID], Step]]:
    """The effect of each event, in order, and every changed step in its last state by (person, first event)."""
    current = dict(known)
    effects = []
    changed: dict[tuple[str, UUID], Step] = {}
    for event in events:
        steps = current.get(event.subject, [])
        effect = effect_of(steps, event)
        current[event.subject] = steps_after(steps, effect)
        changed |= {(event.subject, step.first_event): step for step in effect.changed}
        effects.append(effect)
    return effects, changed


def _drafts(event: Event, effect: Effect) -> Iterator[Draft]:
    """The events derived from an effect: first those of steps left, then those of steps entered."""
    for step in effect.left:
        yield derive(event.subject, MomentLeftV1, step, step.left_at or event.time, event.partner, Cause.of(event))
    for step in effect.entered:
        at = step.entered_at or event.time
        yield derive(event.subject, MomentEnteredV1, step, at, event.partner, Cause.of(event))


def derive(
    subject: str, kind: type[PathwayEvent], step: Step, time: datetime, partner: str, cause: Cause, *key: str
) -> Draft:
    """A derived event. Its id depends on its cause, the step, the rule's version and `key`, so that it is the same each
    time it is derived."""
    name = "|".join((kind.TYPE, str(step.step), step.moment, str(RULE), *key))
    data = kind(step=step.step, moment=step.moment, home=step.home, at=step.partner, rule=RULE)
    return Draft(subject, data, time, partner, cause, id=clock.derived_id(cause.causation, name))
