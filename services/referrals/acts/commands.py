"""Every step of an act: load it locked, let its table decide, save it, record the event; one step may cause others."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, TypeVar
from uuid import UUID

from services.referrals import refusals
from services.referrals.acts import rules as acts
from services.referrals.acts.cover import marked
from services.referrals.acts.dates import check_happened, in_order
from services.referrals.acts.fronting import told
from services.referrals.acts.lifecycle import HUB, Office
from services.referrals.acts.once import check_back
from services.referrals.acts.rows import REFERRALS, Acts
from services.referrals.acts.rules import Act, Decided, Placement, Referral, Training
from services.referrals.codes.commands import resolved
from services.referrals.deadlines import waits
from services.referrals.directory import rows as directory
from services.referrals.directory.addresses import check_place
from services.referrals.directory.capacity import settle_places
from services.referrals.needs.commands import record_unmet
from services.referrals.rerouting.rules import check_nothing_followed, lapsing
from services.referrals.work import Call, Work

S = TypeVar("S", bound=Act)
Given = Mapping[str, Any]


def step(work: Work, store: Acts[S], named: UUID | str, action: str, given: Given) -> S:
    """Take one action of an act's table. Starting a training or placement also starts the referral it answers.

    Raises NotAllowed, NotGiven, TooLate, AlreadyRecorded, AlreadyOpen, Followed, NoPlaceLeft, OutOfOrder, Stale, and
    Problem 404, 409, 422.
    """
    given = resolved(work, action, given)
    state, by = load(work, store, named, action)
    facts = json_values({name: value for name, value in given.items() if name not in ("happened_on", "again")})
    on = in_order(given, work.call.today, state.last_on)
    _check_place(work, state, given)
    if facts.get("reported_by") and "referrer" not in state.party(work.call.partner):
        raise refusals.invalid("reported_by", "only the referrer records an answer in the receiver's place")
    decided = acts.act(state, action, by, facts, work.call.today, on)
    if action == "reopen" and isinstance(state, Referral) and by is not Office.COORDINATOR:
        check_nothing_followed(state, REFERRALS.of_person(work.conn, state.ref))
    check_back(work.conn, state, decided.state, meant=bool(given.get("again")))
    save(work, store, state, decided, on)
    if action == "start":
        _started(work, decided.state, facts, on)
    return decided.state


def load(work: Work, store: Acts[S], named: UUID | str, action: str) -> tuple[S, str]:
    """The act to change, locked, and as whom the caller acts. Raises Erased, Stale and Problem 404."""
    state = store.find(work.conn, named, lock=True)
    by = acting_as(work.call, state, action) if state else None
    if state is None or by is None:
        raise refusals.not_found(store.noun)
    work.expect(state.version)
    return marked(work.conn, [state], work.call.today)[0], by


def acting_as(call: Call, state: Act, action: str = "") -> str | None:
    """As whom a caller reads an act or acts on it: its partner, or the coordinator for a referral; None for a stranger.

    A party that is also the coordinator acts as a party where the party may take the action.
    """
    principal = call.principal
    own = call.partner if principal.has("partner") and state.party(call.partner) else None
    if principal.has("coordinator") and isinstance(state, Referral):
        return own if own and action in ("", *acts.open_to(state, own, call.today)) else Office.COORDINATOR
    return own


def save(work: Work, store: Acts[S], before: S, decided: Decided[S], on: date | None, *, by: str | None = None) -> None:
    """Store a step and record its event. It also sets the deadlines anew, recounts the offer whose place the step takes
    or frees, and records the need that a decline leaves unmet.

    Raises AlreadyOpen, NoPlaceLeft and OutOfOrder.
    """
    store.save(work.conn, decided.state, work.call.now)
    waits.follow(work, decided.state)
    event = told(work, decided.state, decided.event)
    event_id = work.record(decided.state.ref, event, decided.sealed, on, by=by)
    record_unmet(work, decided, on, event_id)
    settle_places(work, before, decided.state)


def json_values(values: Given) -> dict[str, Any]:
    """Dates and ids as the strings that facts hold."""
    return {
        k: v.isoformat() if isinstance(v, date) else str(v) if isinstance(v, UUID) else v for k, v in values.items()
    }


def _started(work: Work, state: Act, facts: Given, on: date | None) -> None:
    """What follows from a start: the referral it answers starts, and a started referral's alternatives lapse."""
    if isinstance(state, Training | Placement):
        _start_referral(work, state, facts, on)
        return
    others = marked(work.conn, lapsing(state.id, REFERRALS.of_person(work.conn, state.ref)), work.call.today)
    for other in others:
        day = max(filter(None, (on, other.last_on)), default=None)
        lapsed = acts.act(other, "lapse", HUB, {}, work.call.today, day)
        save(work, REFERRALS, other, lapsed, day, by=HUB)


def _start_referral(work: Work, answer: Training | Placement, facts: Given, on: date | None) -> None:
    """Start the referral that a training or placement answers, unless it has started. Raises Problem 409."""
    referral = REFERRALS.find(work.conn, answer.referral_id, lock=True) if answer.referral_id else None
    referral = marked(work.conn, [referral], work.call.today)[0] if referral else None
    if referral is None or referral.status == "started":
        return
    if referral.status != "accepted":
        raise refusals.referral_not_open(referral.status)
    kind = "training" if isinstance(answer, Training) else "placement"
    given = {"started_on": facts["started_on"], "answered_by": kind, "answered_by_id": str(answer.id)}
    check_happened("started_on", date.fromisoformat(facts["started_on"]), work.call.today, referral.last_on)
    decided = acts.act(referral, "start", referral.recipient, given, work.call.today, on)
    save(work, REFERRALS, referral, decided, on)
    _started(work, decided.state, facts, on)


def _check_place(work: Work, state: Act, given: Given) -> None:
    """A place is one of the receiver's. Raises Problem 422."""
    if given.get("place"):
        [receiver] = directory.partners_of(work.conn, [state.receiver]).values()
        check_place(receiver, given["place"])
