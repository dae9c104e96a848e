"""What the hub does when a deadline falls due: an ordinary step or event, in the transaction that marks it done."""

from __future__ import annotations

from typing import Any

from services.referrals.acts.cover import marked
from services.referrals.acts.fronting import told
from services.referrals.acts.rows import PLACEMENTS, REFERRALS, TRAININGS, Acts
from services.referrals.agreements import lapses
from services.referrals.agreements.commands import ask_to_renew, expire_consent, settle_person
from services.referrals.deadlines import rules
from services.referrals.deadlines.rows import DeadlineSubject
from services.referrals.deadlines.rules import Deadline
from services.referrals.deadlines.waits import follow
from services.referrals.directory import commands as directory
from services.referrals.directory.capacity import settle_places
from services.referrals.work import Work

_STORES: dict[str, Acts[Any]] = {"referral": REFERRALS, "training": TRAININGS, "placement": PLACEMENTS}


def fall_due(work: Work, subject: DeadlineSubject, due: list[Deadline]) -> None:
    """Act on all that is due of one subject: on the newest deadline, and on none that no longer applies."""
    kinds = {each.kind for each in due}
    if subject.noun == "convention":
        directory.convention_due(work, subject.about, due)
    elif subject.noun == "consent":
        if "expire" in kinds:
            expire_consent(work, subject.about)
        else:
            ask_to_renew(work, subject.about, rules.newest(due).number)
    elif subject.noun == "person":
        settle_person(work, subject.about)
    else:
        _record(work, subject, rules.newest(due))


def _record(work: Work, subject: DeadlineSubject, deadline: Deadline) -> None:
    store = _STORES[subject.noun]
    state = store.find(work.conn, subject.about, lock=True)
    if state is None:
        return
    [state] = marked(work.conn, [state], work.call.today)
    if state.uncovered:  # nobody is reminded of what nothing covers; after its time the hub ends it
        if deadline.kind == "end_agreement":
            lapses.end(work, store, state, "lapsed")
        return
    decided = rules.expires(state, deadline, work.call.today)
    if decided is not None:
        store.save(work.conn, decided.state, work.call.now)
        work.record(state.ref, told(work, decided.state, decided.event))
        follow(work, decided.state)
        settle_places(work, state, decided.state)
    elif event := rules.event_of(state, deadline):
        work.record(state.ref, told(work, state, event))
