"""An act's deadlines follow what it waits for: set with each step, deleted when the wait is over."""

from __future__ import annotations

from services.referrals.acts.rules import Act
from services.referrals.deadlines import rows as deadlines
from services.referrals.deadlines import rules
from services.referrals.deadlines.rows import DeadlineSubject
from services.referrals.work import Work


def follow(work: Work, state: Act, *, anew: bool = False) -> None:
    """Set the deadlines of an act; every command that has added or saved one calls this.

    While the act waits for the same thing, its deadlines do not change. anew: the wait may have changed without a step.
    """
    subject = DeadlineSubject(type(state).__name__.lower(), state.id, state.ref, rules.wait(state))
    if state.version > 1 or anew:
        deadlines.end(work.conn, state.id, but=subject.wait)
    deadlines.begin(work.conn, subject, work.call.id, rules.of(state, work.call.today))
