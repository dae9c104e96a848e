"""What a batch of events does here, in the caller's transaction: timeline, steps, counts and what is derived."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from uuid import UUID

from sqlalchemy import Connection

from jalons import clock
from jalons.inserts import Inserts
from jalons.messaging.outbox import Cause, Draft, Outbox
from jalons.privacy import forgotten
from jalons.privacy.disclosure import Alias, parties
from schemas import beneficiary, consent, need, placement, referral, training
from schemas.envelope import Event
from schemas.pathway import MomentEnteredV1, MomentLeftV1, PathwayEvent
from schemas.referral import ReferralEvent
from schemas.topics import PATHWAYS
from services.observation.counts.rules import TAKES_OFF, Cell, change
from services.observation.pathways import rows as store
from services.observation.pathways.rules import RULE, TAKES_BACK, Step, Turn, after, turn


@dataclass(frozen=True, slots=True)
class Project:
    """Observation's `Apply`. The caller's claim on progress is the lock on each person: nobody else derives meanwhile.

    Everything is decided before the stream's positions are taken, since from then on other writers wait. forget_key:
    drops a person's key from the cache.
    """

    outbox: Outbox
    alias: Alias
    forget_key: Callable[[str], None]
    now: Callable[[], datetime] = clock.now

    def __call__(self, conn: Connection, events: Sequence[Event], *, publish: bool = True) -> None:
        """Apply a batch. The directory is passed over, but for the needs that are counted: events of a person carry all
        that decides what follows."""
        rows = Inserts()
        store.add_counts(rows, _counts(conn, [event for event in events if isinstance(event.data, need.ReportedV1)]))
        told = [event for event in events if event.data.TOPIC == PATHWAYS]
        if not told:
            rows.write(conn)
            return
        turns, changed = _walk(_known(conn, told), told)
        counts = _counts(conn, told)
        drafts = [list(_drafts(event, done)) if publish else [] for event, done in zip(told, turns, strict=True)]
        said = self.outbox.gather(rows, conn, [draft for each in drafts for draft in each], self.now())
        derived = iter(said)

        positions = count(store.take_positions(conn, len(told) + sum(map(len, drafts))))
        followed, own = [], []
        for event, its in zip(told, drafts, strict=True):
            followed.append((next(positions), event))
            own += [(next(positions), next(derived)) for _ in its]
        store.add_to_timeline(rows, conn, followed)
        store.add_derivations(rows, own)
        store.save_steps(rows, changed)
        store.add_counts(rows, counts)
        store.add_aliases(rows, self._aliases(told))
        store.save_pauses(rows, conn, _pauses(told))
        store.save_hidden(rows, conn, _hidden(told))
        rows.write(conn)
        for event in told:
            if isinstance(event.data, beneficiary.ErasedV1):
                self._forget(conn, event.subject, event.data)

    def _forget(self, conn: Connection, subject: str, erased: beneficiary.ErasedV1) -> None:
        """The counts stay as they are: they name nobody."""
        store.forget(conn, subject, [self.alias(subject, partner) for partner in erased.partners])
        forgotten.note(conn, erased.receipt_id, self.now())
        self.forget_key(subject)

    def _aliases(self, events: Sequence[Event]) -> dict[UUID, tuple[str, str]]:
        """The names by which the parties other than the home may ask."""
        known = {
            (event.subject, partner)
            for event in events
            for field, partner in parties(event).items()
            if field != "home" and partner != getattr(event.data, "home", None)
        }
        return {self.alias(*pair): pair for pair in sorted(known)}


def _pauses(events: Sequence[Event]) -> dict[str, bool]:
    """Whether each person of whom it is said is paused in the end."""
    return {
        event.subject: isinstance(event.data, beneficiary.PausedV1)
        for event in events
        if isinstance(event.data, beneficiary.AccompanimentEvent)
    }


def _hidden(events: Sequence[Event]) -> dict[tuple[str, str], bool]:
    """From whom each person's way is hidden in the end. An agreement that ends hides it; one that is given, or an act
    of the home partner with somebody, which needs one, shows it again."""
    found: dict[tuple[str, str], bool] = {}
    for event in events:
        match event.data:
            case consent.ConsentEnded() as ended:
                found |= {(event.subject, each): True for each in ended.partners}
            case consent.GivenV1() as given:
                if not {"referral", "employer"}.isdisjoint(given.purposes):
                    found |= {(event.subject, each): False for each in (*given.partners, *given.restored)}
            case referral.SentV1() | training.EnrolledV1() | placement.ProposedV1() as begun:
                if event.partner == begun.home:
                    found |= {(event.subject, each): False for each in parties(event).values() if each != begun.home}
    return found


def _known(conn: Connection, events: Sequence[Event]) -> dict[str, list[Step]]:
    """The steps that a batch may change, by person."""
    looking_back = {event.subject for event in events if type(event.data) in TAKES_BACK}
    return store.known_steps(conn, {event.subject for event in events}, looking_back)


def _counts(conn: Connection, events: Sequence[Event]) -> dict[Cell, int]:
    """What a batch changes in the counts, before it is in the timeline; cells it leaves as they are, left out."""
    back = {
        event.data.referral_id: event.subject
        for event in events
        if isinstance(event.data, ReferralEvent) and type(event.data) in TAKES_OFF
    }
    so_far = store.of_referrals(conn, back) if back else {}
    total: Counter[Cell] = Counter()
    for event in events:
        its = so_far.get(event.data.referral_id) if isinstance(event.data, ReferralEvent | need.UnmetV1) else None
        total.update(change(event, its or ()))
        if its is not None:
            its.append(event)
    return {cell: n for cell, n in total.items() if n}


def _walk(ways: Mapping[str, list[Step]], events: Sequence[Event]) -> tuple[list[Turn], dict[tuple[str, UUID], Step]]:
    """Each event's turn, a person's in order, and every changed step in its last state."""
    current = dict(ways)
    turns = []
    changed: dict[tuple[str, UUID], Step] = {}
    for event in events:
        steps = current.get(event.subject, [])
        done = turn(steps, event)
        current[event.subject] = after(steps, done)
        changed |= {(event.subject, step.first): step for step in done.changed}
        turns.append(done)
    return turns, changed


def _drafts(event: Event, done: Turn) -> Iterator[Draft]:
    """What is told of a turn: first what was left, then what was entered."""
    for step in done.left:
        yield derive(event.subject, MomentLeftV1, step, step.left_at or event.time, event.partner, Cause.of(event))
    for step in done.entered:
        at = step.entered_at or event.time
        yield derive(event.subject, MomentEnteredV1, step, at, event.partner, Cause.of(event))


def derive(
    subject: str, kind: type[PathwayEvent], step: Step, time: datetime, partner: str, cause: Cause, *also: str
) -> Draft:
    """A derived event, its id the same each time it is derived. also: what its id hangs on beside cause and step."""
    name = "|".join((kind.TYPE, str(step.step), step.moment, str(RULE), *also))
    data = kind(step=step.step, moment=step.moment, home=step.home, at=step.at, rule=RULE)
    return Draft(subject, data, time, partner, cause, id=clock.derived_id(cause.causation, name))
