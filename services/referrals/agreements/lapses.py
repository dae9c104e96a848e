"""What becomes of a person's acts when what covered a party ends, or covers it again (domain.md, section 4).

The person's word (a withdrawal, or a narrowing that drops the partner): the hub cancels what nobody took up. An
administrative lapse (an agreement's last day, the end or suspension of a convention): the acts wait, and nobody is
reminded; after LAPSE_DAYS the hub cancels what nobody took up. `acts/lifecycle.py` has the rows, `Act.uncovered` says
what is shown and which actions stay open meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from services.referrals.acts import rules as acts
from services.referrals.acts.cover import marked, needs
from services.referrals.acts.fronting import told
from services.referrals.acts.lifecycle import HUB
from services.referrals.acts.rows import PLACEMENTS, REFERRALS, TRAININGS, Acts
from services.referrals.acts.rules import Act
from services.referrals.agreements import rows as agreements
from services.referrals.agreements.cover import is_persons_word
from services.referrals.agreements.rules import Holder
from services.referrals.deadlines import waits
from services.referrals.directory.capacity import settle_places
from services.referrals.persons.rows import Person
from services.referrals.work import Work

STORES: Sequence[Acts[Any]] = (REFERRALS, TRAININGS, PLACEMENTS)
UNCOVERED_ON, UNCOVERED_BY = "uncovered_on", "uncovered_by"


@dataclass(frozen=True, slots=True)
class Survey:
    """A person's acts as they are covered now, locked. lost: the partners that nothing covers any more in any act.

    back: those that something covers again. by_word: the ids of the acts that the person's word leaves uncovered.
    """

    acts: Sequence[tuple[Acts[Any], Act]]
    lost: tuple[str, ...]
    back: tuple[str, ...]
    by_word: frozenset[Any]


def survey(work: Work, person: Person) -> Survey:
    """What has to change for a locked person. Changes nothing."""
    found = [
        (store, state)
        for store in STORES
        for state in marked(work.conn, store.of_person(work.conn, person.ref), work.call.today)
    ]
    states = [state for _, state in found]
    before, after = (
        _hidden(states, lambda s, _: UNCOVERED_ON in s.facts),
        _hidden(states, lambda s, p: p in s.uncovered),
    )
    history = agreements.history(work.conn, person.ref) if any(state.uncovered for state in states) else []
    by_word = {
        state.id
        for state in states
        if any(is_persons_word(need, history) for need in needs(state) if need.partner in state.uncovered)
    }
    return Survey(found, tuple(sorted(after - before)), tuple(sorted(before - after)), frozenset(by_word))


def apply(work: Work, seen: Survey) -> None:
    """Cancel, suspend or take up again each act of a survey."""
    for store, state in seen.acts:
        if not state.uncovered:
            if UNCOVERED_ON in state.facts:
                _keep(work, store, replace(state, facts=_without(state)))
        elif state.id in seen.by_word and end(work, store, state, "withdrawn"):
            continue
        elif UNCOVERED_ON not in state.facts:
            how = "withdrawn" if state.id in seen.by_word else "lapsed"
            since = {UNCOVERED_ON: work.call.today.isoformat(), UNCOVERED_BY: how}
            _keep(work, store, replace(state, facts={**state.facts, **since}))


def settle(work: Work, person: Person) -> Survey:
    """Survey a locked person and apply it."""
    seen = survey(work, person)
    apply(work, seen)
    return seen


def open_holdings(work: Work, person: Person, holders: Sequence[Holder]) -> list[Holder]:
    """These holders with the references of their acts that are not over; none of a holder whose acts all are."""
    states = [state for store in STORES for state in store.of_person(work.conn, person.ref)]
    going_on = {
        (state.reference, p) for state in states for p in state.parties().values() if not acts.is_over(state, p)
    }
    left = [
        replace(holder, references=tuple(ref for ref in holder.references if (ref, holder.partner) in going_on))
        for holder in holders
    ]
    return [holder for holder in left if holder.references]


def end(work: Work, store: Acts[Any], state: Act, how: str) -> bool:
    """Cancel, as the hub, an act that nobody took up and that nothing covers; False if the table has no such step."""
    if "end-agreement" not in acts.open_to(state, HUB, work.call.today):
        return False
    since = {UNCOVERED_ON: work.call.today.isoformat(), UNCOVERED_BY: how}
    before = replace(state, facts={**since, **state.facts, UNCOVERED_BY: how})
    decided = acts.act(before, "end-agreement", HUB, {"agreement_ended": how}, work.call.today)
    store.save(work.conn, decided.state, work.call.now)
    waits.follow(work, decided.state)
    work.record(state.ref, told(work, decided.state, decided.event), decided.sealed, by=HUB)
    settle_places(work, state, decided.state)
    return True


def _keep(work: Work, store: Acts[Any], state: Act) -> None:
    """Store an act whose wait changed without a step."""
    store.save(work.conn, state, work.call.now)
    waits.follow(work, state, anew=True)


def _without(state: Act) -> dict[str, Any]:
    return {name: value for name, value in state.facts.items() if name not in (UNCOVERED_ON, UNCOVERED_BY)}


def _hidden(states: Sequence[Act], is_uncovered: Any) -> set[str]:
    """The partners, but the home partner, of which every act is uncovered."""
    covered: dict[str, bool] = {}
    for state in states:
        for need in needs(state):
            covered[need.partner] = covered.get(need.partner, False) or not is_uncovered(state, need.partner)
    return {partner for partner, is_covered in covered.items() if not is_covered}
