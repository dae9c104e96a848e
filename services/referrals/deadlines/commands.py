"""What the hub does by itself when time has come: the ordinary step or event, in the transaction that ends the row."""

from __future__ import annotations

from typing import Any

from services.referrals.acts.rows import PLACEMENTS, REFERRALS, TRAININGS, Acts
from services.referrals.acts.rules import Act
from services.referrals.agreements.commands import expire_consent
from services.referrals.deadlines import rows as deadlines
from services.referrals.deadlines import rules
from services.referrals.deadlines.rows import Waiting
from services.referrals.deadlines.rules import Deadline
from services.referrals.directory import commands as directory
from services.referrals.directory.capacity import settle_places
from services.referrals.work import Work

_STORES: dict[str, Acts[Any]] = {"referral": REFERRALS, "training": TRAININGS, "placement": PLACEMENTS}


def follow(work: Work, state: Act) -> None:
    """What is due of an act from now on. Every command calls it that has added or saved one; while the act waits for
    the same, nothing changes."""
    waiting = Waiting(type(state).__name__.lower(), state.id, state.ref, rules.wait(state))
    if state.version > 1:
        deadlines.end(work.conn, state.id, but=waiting.wait)
    deadlines.begin(work.conn, waiting, work.call.id, rules.of(state, work.call.today))


def fall_due(work: Work, waiting: Waiting, due: list[Deadline]) -> None:
    """Deal with all that was due of one act: say the newest; what has moved on meanwhile is passed over in silence."""
    if waiting.noun == "convention":
        directory.expire_convention(work, waiting.about)
    elif waiting.noun == "consent":
        expire_consent(work, waiting.about)
    else:
        _say(work, waiting, rules.newest(due))


def _say(work: Work, waiting: Waiting, deadline: Deadline) -> None:
    store = _STORES[waiting.noun]
    state = store.find(work.conn, waiting.about, lock=True)
    if state is None:
        return
    decided = rules.expires(state, deadline, work.call.today)
    if decided is not None:
        store.save(work.conn, decided.state, work.call.now)
        work.record(state.ref, decided.event)
        follow(work, decided.state)
        settle_places(work, state, decided.state)
    elif event := rules.says(state, deadline):
        work.record(state.ref, event)
