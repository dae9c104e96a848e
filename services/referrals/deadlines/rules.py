"""Which deadlines an act has, and what follows when one falls due; pure functions of an act and a day.

Deadlines are at 08:00 in Brussels. All deadlines of an act belong to the wait it is in: its next step deletes them, and
of those that fall due together only the newest has an effect (domain.md, section 4).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Literal, get_args

from dateutil.relativedelta import relativedelta

from jalons.clock import BRUSSELS, local_date
from schemas import placement as placements
from schemas import referral as referrals
from schemas import training as trainings
from schemas.envelope import Payload
from services.referrals.acts import rules as acts
from services.referrals.acts.lifecycle import HUB
from services.referrals.acts.rules import Act, Placement, Referral, Training
from services.referrals.agreements.rules import Convention
from services.referrals.deadlines.working_days import after_working_days

Kind = Literal[
    "reminder",
    "escalate",
    "still_waiting",
    "first_contact",
    "start",
    "end_near",
    "end",
    "follow_up",
    "renewal",
    "expire",
    "end_agreement",
    "cover",
]
_STAGES = get_args(Kind)
"""In order: of two that fall due at the same instant, the later one in this list has the effect."""

UNANSWERED = frozenset({"sent", "received"})
MORNING = time(8)
PATIENCE = 5
"""Working days after an announced day before news is asked for."""
STILL_WAITING_DAYS = 60
SILENCES = 2
END_NEAR_DAYS = 60
LAPSE_DAYS = 20
"""Working days in which the home partner may renew what lapsed, before the hub cancels what nobody took up."""
RENEWAL_DAYS = 30
"""Days before its end on which the home partner is asked about an agreement for the first time."""
FOLLOW_UP_MONTHS = (3, 6, 12)


_TRAINING_WAITS_FOR: Mapping[str, Literal["start", "end"]] = {"enrolled": "start", "started": "end"}


@dataclass(frozen=True, slots=True)
class Deadline:
    """One thing that falls due. number: 1-based index within its kind; of a follow-up, its months."""

    kind: Kind
    due_at: datetime
    number: int = 1


def terms(convention: Convention) -> dict[str, Any]:
    """The terms of a convention that a referral keeps when it is sent; later changes have no effect on it."""
    return {
        "remind_on": sorted(set(convention.remind_on_working_days)),
        "escalate_on": convention.escalate_on_working_day,
        "expire_after": convention.expire_after_days,
    }


def of(state: Act, today: date) -> list[Deadline]:
    """The deadlines of the wait that an act is in from today on, ordered by time."""
    if "uncovered_on" in state.facts:
        return _of_uncovered(state)
    match state:
        case Referral():
            found = _of_referral(state, today)
            if acts.is_held(state):  # nobody is reminded; it still ends if nobody says anything
                found = (each for each in found if each.kind == "expire")
        case Training():
            found = _planned(state.facts, today, _TRAINING_WAITS_FOR.get(state.status))
        case Placement():
            found = _of_placement(state, today)
        case _:
            raise TypeError(type(state).__name__)
    return sorted(found, key=_order)


def wait(state: Act) -> str:
    """What an act waits for; its deadlines stay while that is the same.

    Once received, it still waits for an answer; what nothing covers waits for an agreement alone.
    """
    if "uncovered_on" in state.facts:
        return f"agreement for {state.status}"
    if acts.is_held(state):
        return "referrer"
    return "answer" if state.status in UNANSWERED else state.status


def newest(due: Iterable[Deadline]) -> Deadline:
    """Of an act's deadlines that are due together, the one that has an effect; it supersedes the others."""
    return max(due, key=_order)


def at_end_of(day: date) -> datetime:
    """The instant at which a last day is over."""
    return datetime.combine(day + timedelta(days=1), time(), BRUSSELS)


def ending(last: date, today: date) -> list[Deadline]:
    """The deadlines of an agreement or a convention with a last day: asked about 30 days before and on the day."""
    asked = [(number, last - timedelta(days=days)) for number, days in ((1, RENEWAL_DAYS), (2, 0))]
    found = [Deadline("renewal", in_the_morning(day), number) for number, day in asked if day > today]
    return [*found, Deadline("expire", at_end_of(last))]


def in_the_morning(day: date) -> datetime:
    """08:00 in Brussels on a day."""
    return datetime.combine(day, MORNING, BRUSSELS)


def event_of(state: Act, deadline: Deadline) -> Payload | None:
    """The event of a deadline that changes no status; None if it no longer applies. For the others see `expires`."""
    if not _open(state, deadline.kind):
        return None
    match state:
        case Referral():
            return _referral_event(state, deadline)
        case Training():
            since = _day(state.facts, f"planned_{deadline.kind}")
            return trainings.NewsDueV1(**state.common(), about=deadline.kind, since=since) if since else None
        case Placement():
            return _placement_event(state, deadline)
    return None


def expires(state: Act, deadline: Deadline, today: date) -> acts.Decided[Act] | None:
    """The step of a deadline that ends the wait; None if it is of another kind, or no longer applies."""
    if deadline.kind != "expire" or not _open(state, deadline.kind):
        return None
    return acts.act(state, "expire", HUB, {}, today)


_OPEN: Mapping[tuple[type[Act], str], frozenset[str]] = {
    (Referral, "reminder"): UNANSWERED,
    (Referral, "escalate"): UNANSWERED,
    (Referral, "expire"): UNANSWERED | {"waitlisted"},
    (Referral, "still_waiting"): frozenset({"waitlisted"}),
    (Referral, "first_contact"): frozenset({"accepted"}),
    (Training, "start"): frozenset({"enrolled"}),
    (Training, "end"): frozenset({"started"}),
    (Placement, "start"): frozenset({"proposed", "confirmed"}),
    (Placement, "end"): frozenset({"started"}),
    (Placement, "end_near"): frozenset({"started"}),
    (Placement, "follow_up"): frozenset({"ended"}),
}
"""The statuses in which a deadline still applies."""


def _open(state: Act, kind: Kind) -> bool:
    return state.status in _OPEN.get((type(state), kind), frozenset())


def _of_uncovered(state: Act) -> list[Deadline]:
    """After a lapse the home partner has LAPSE_DAYS; after the person's word there is nothing to wait for."""
    if state.facts.get("uncovered_by") != "lapsed" or "end-agreement" not in acts.hub_actions(state):
        return []
    day = after_working_days(date.fromisoformat(state.facts["uncovered_on"]), LAPSE_DAYS)
    return [Deadline("end_agreement", in_the_morning(day))]


def _of_referral(state: Referral, today: date) -> Iterator[Deadline]:
    if state.status in UNANSWERED:
        yield from _unanswered(state.facts.get("terms") or {}, today)
    elif state.status == "waitlisted":
        expected = _day(state.facts, "expected_on")
        day = expected if expected and expected > today else today + timedelta(days=STILL_WAITING_DAYS)
        for number in range(1, SILENCES + 1):
            yield Deadline("still_waiting", in_the_morning(day), number)
            day += timedelta(days=STILL_WAITING_DAYS)
        yield Deadline("expire", in_the_morning(day))
    elif state.status == "accepted" and (contact := _day(state.facts, "first_contact_on")):
        yield _without_news("first_contact", contact, today)


def _unanswered(terms: Mapping[str, Any], today: date) -> Iterator[Deadline]:
    """From the day it was sent. The escalation comes after the last reminder, whatever the convention says."""
    reminders: Sequence[int] = terms.get("remind_on", (3, 5))
    for number, day in enumerate(reminders, 1):
        yield Deadline("reminder", in_the_morning(after_working_days(today, day)), number)
    escalation = max(terms.get("escalate_on", 7), *(day + 1 for day in reminders), 1)
    yield Deadline("escalate", in_the_morning(after_working_days(today, escalation)))
    yield Deadline("expire", in_the_morning(today + timedelta(days=terms.get("expire_after", 30))))


def _of_placement(state: Placement, today: date) -> Iterator[Deadline]:
    if state.status in ("proposed", "confirmed"):
        yield from _planned(state.facts, today, "start")
    elif state.status == "started":
        end = _day(state.facts, "planned_end")
        if end and (near := end - timedelta(days=END_NEAR_DAYS)) > today:
            yield Deadline("end_near", in_the_morning(near))
        yield from _planned(state.facts, today, "end")
    elif state.status == "ended" and (ended := _day(state.facts, "ended_on")):
        for months in FOLLOW_UP_MONTHS:
            if (day := ended + relativedelta(months=months)) > today:
                yield Deadline("follow_up", in_the_morning(day), months)


def _planned(facts: Mapping[str, Any], today: date, which: Literal["start", "end"] | None) -> Iterator[Deadline]:
    if which and (day := _day(facts, f"planned_{which}")):
        yield _without_news(which, day, today)


def _without_news(kind: Literal["first_contact", "start", "end"], day: date, today: date) -> Deadline:
    """News is asked for PATIENCE working days after the day, or after today if the day was announced late."""
    return Deadline(kind, in_the_morning(after_working_days(max(day, today), PATIENCE)))


def _referral_event(state: Referral, deadline: Deadline) -> Payload | None:
    match deadline.kind:
        case "reminder":
            reply_by = state.facts["reply_by"]
            return referrals.ReminderDueV1(**state.common(), number=deadline.number, reply_by=reply_by)
        case "escalate":
            return referrals.EscalatedV1(**state.common(), reply_by=state.facts["reply_by"])
        case "still_waiting":
            return referrals.NewsDueV1(**state.common(), about="still_waiting", since=local_date(deadline.due_at))
        case "first_contact":
            since = state.facts["first_contact_on"]
            return referrals.NewsDueV1(**state.common(), about="first_contact", since=since)
    return None


def _placement_event(state: Placement, deadline: Deadline) -> Payload | None:
    match deadline.kind:
        case "start" | "end":
            since = state.facts[f"planned_{deadline.kind}"]
            return placements.NewsDueV1(**state.common(), about=deadline.kind, since=since)
        case "end_near":
            return placements.EndNearV1(**state.common(), planned_end=state.facts["planned_end"])
        case "follow_up" if str(deadline.number) not in state.facts.get("follow_ups", {}):  # else it was reported
            return placements.FollowUpDueV1(**state.common(), months=deadline.number)
    return None


def _order(deadline: Deadline) -> tuple[datetime, int, int]:
    return deadline.due_at, _STAGES.index(deadline.kind), deadline.number


def _day(facts: Mapping[str, Any], name: str) -> date | None:
    return date.fromisoformat(facts[name]) if facts.get(name) else None
