"""What the hub does when a deadline falls due: an ordinary step or event, in the transaction that marks it done."""

from __future__ import annotations

from typing import Any

from services.referrals.acts.fronting import told
from services.referrals.acts.rows import PLACEMENTS, REFERRALS, TRAININGS, Acts
from services.referrals.acts.rules import Act
from services.referrals.agreements.commands import expire_consent
from services.referrals.deadlines import rows as deadlines
from services.referrals.deadlines import rules
from services.referrals.deadlines.rows import DeadlineSubject
from services.referrals.deadlines.rules import Deadline
from services.referrals.directory import commands as directory
from services.referrals.directory.capacity import settle_places
from services.referrals.work import Work

_STORES: dict[str, Acts[Any]] = {"referral": REFERRALS, "training": TRAININGS, "placement": PLACEMENTS}


def follow(work: Work, state: Act) -> None:
    """Set the deadlines of an act; every command that has added or saved one calls this.

    While the act waits for the same thing, its deadlines do not change.
    """
    subject = DeadlineSubject(type(state).__name__.lower(), state.id, state.ref, rules.wait(state))
    if state.version > 1:
        deadlines.end(work.conn, state.id, but=subject.wait)
    deadlines.begin(work.conn, subject, work.call.id, rules.of(state, work.call.today))


def fall_due(work: Work, subject: DeadlineSubject, due: list[Deadline]) -> None:
    """Act on all that is due of one subject: on the newest deadline, and on none that no longer applies."""
    if subject.noun == "convention":
        directory.expire_convention(work, subject.about)
    elif subject.noun == "consent":
        expire_consent(work, subject.about)
    else:
        _record(work, subject, rules.newest(due))


def _record(work: Work, subject: DeadlineSubject, deadline: Deadline) -> None:
    store = _STORES[subject.noun]
    state = store.find(work.conn, subject.about, lock=True)
    if state is None:
        return
    decided = rules.expires(state, deadline, work.call.today)
    if decided is not None:
        store.save(work.conn, decided.state, work.call.now)
        work.record(state.ref, told(work, decided.state, decided.event))
        follow(work, decided.state)
        settle_places(work, state, decided.state)
    elif event := rules.event_of(state, deadline):
        work.record(state.ref, told(work, state, event))
