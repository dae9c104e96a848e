"""What falls due when: over weekends, holidays and changes of the clock; and what is said of it, if anything."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jalons.clock import BRUSSELS
from schemas import codes
from schemas.catalogue import TYPES
from services.referrals.acts.rules import Act, Placement, Referral, Training
from services.referrals.agreements.rules import Convention
from services.referrals.deadlines import rules as deadlines
from services.referrals.deadlines.rules import Deadline, Kind, at_end_of, event_of, expires, newest, of, terms, wait
from services.referrals.deadlines.working_days import after_working_days, is_working_day
from tests.rules.test_lifecycle import new

MONDAY = date(2026, 11, 23)


def due(state: Act, today: date = MONDAY) -> list[tuple[str, int, str]]:
    """Kind, number, and the time in Brussels."""
    return [
        (each.kind, each.number, each.due_at.astimezone(BRUSSELS).isoformat(timespec="minutes"))
        for each in of(state, today)
    ]


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        (date(2026, 11, 24), 0, date(2026, 11, 24)),
        (date(2026, 11, 24), 5, date(2026, 12, 1)),
        (date(2026, 4, 3), 1, date(2026, 4, 7)),  # over Easter Monday, 6 April
        (date(2026, 4, 4), 1, date(2026, 4, 7)),  # from a Saturday
        (date(2026, 4, 30), 1, date(2026, 5, 4)),  # 1 May is a Friday
        (date(2026, 5, 13), 1, date(2026, 5, 15)),  # Ascension Day
        (date(2026, 5, 22), 1, date(2026, 5, 26)),  # Whit Monday
        (date(2026, 7, 20), 1, date(2026, 7, 22)),  # 21 July is a Tuesday
        (date(2026, 12, 24), 1, date(2026, 12, 28)),  # Christmas is a Friday
        (date(2026, 12, 31), 1, date(2027, 1, 4)),  # into the next year
        (date(2026, 11, 10), 1, date(2026, 11, 12)),  # 11 November
    ],
)
def test_deadlines_pass_over_weekends_and_belgian_holidays(start: date, days: int, end: date) -> None:
    assert after_working_days(start, days) == end


@given(st.dates(date(2020, 1, 1), date(2035, 1, 1)), st.integers(1, 40))
def test_a_deadline_is_a_working_day_with_as_many_between(start: date, days: int) -> None:
    end = after_working_days(start, days)
    assert is_working_day(end)
    passed = [start + timedelta(days=n) for n in range(1, (end - start).days + 1)]
    assert sum(map(is_working_day, passed)) == days


def test_nobody_answers_three_five_seven_and_thirty() -> None:
    assert due(new(Referral)) == [
        ("reminder", 1, "2026-11-26T08:00+01:00"),
        ("reminder", 2, "2026-11-30T08:00+01:00"),
        ("escalate", 1, "2026-12-02T08:00+01:00"),
        ("expire", 1, "2026-12-23T08:00+01:00"),
    ]


@pytest.mark.parametrize(
    ("sent", "first", "second", "escalated"),
    [
        (date(2026, 12, 23), "2026-12-29", "2026-12-31", "2027-01-05"),  # 25 December and 1 January are Fridays
        (date(2026, 7, 17), "2026-07-23", "2026-07-27", "2026-07-29"),  # 21 July is a Tuesday
        (date(2026, 4, 3), "2026-04-09", "2026-04-13", "2026-04-15"),  # Good Friday counts, Easter Monday does not
        (date(2026, 11, 21), "2026-11-25", "2026-11-27", "2026-12-01"),  # sent on a Saturday
    ],
)
def test_weekends_and_holidays_do_not_count(sent: date, first: str, second: str, escalated: str) -> None:
    days = [time[:10] for kind, _, time in due(new(Referral), sent) if kind != "expire"]
    assert days == [first, second, escalated]


@pytest.mark.parametrize(
    ("sent", "times"),
    [
        (date(2026, 3, 25), ["2026-03-30T08:00+02:00", "2026-04-01T08:00+02:00"]),  # summer time from 29 March
        (date(2026, 10, 21), ["2026-10-26T08:00+01:00", "2026-10-28T08:00+01:00"]),  # and until 25 October
    ],
)
def test_it_is_eight_in_brussels_in_summer_and_in_winter(sent: date, times: list[str]) -> None:
    assert [time for kind, _, time in due(new(Referral), sent) if kind == "reminder"] == times


@given(st.dates(date(2024, 1, 1), date(2034, 1, 1)))
def test_who_is_reminded_is_reminded_on_a_working_day_and_in_order(sent: date) -> None:
    found = of(new(Referral), sent)
    assert found == sorted(found, key=lambda each: each.due_at)
    for each in found:
        local = each.due_at.astimezone(BRUSSELS)
        assert (local.hour, local.minute) == (8, 0)
        assert local.date() > sent
        assert each.kind == "expire" or is_working_day(local.date())


def test_a_referral_goes_by_the_terms_it_was_sent_under() -> None:
    convention = Convention(uuid.uuid4(), (), "signed", MONDAY, None, (), frozenset(), 10, (8, 2, 2), 5, 20)
    kept = terms(convention)
    assert due(new(Referral, terms=kept)) == [
        ("reminder", 1, "2026-11-25T08:00+01:00"),
        ("reminder", 2, "2026-12-03T08:00+01:00"),
        ("escalate", 1, "2026-12-04T08:00+01:00"),  # never before the last reminder
        ("expire", 1, "2026-12-13T08:00+01:00"),
    ]
    none = terms(Convention(uuid.uuid4(), (), "signed", MONDAY, None, (), frozenset(), 10, (), 5, 20))
    assert [kind for kind, *_ in due(new(Referral, terms=none))] == ["escalate", "expire"]


def test_who_waits_for_a_place_is_asked_about_twice_and_then_expires() -> None:
    asked = due(new(Referral, "waitlisted", rank=3))
    assert [(kind, number, time[:10]) for kind, number, time in asked] == [
        ("still_waiting", 1, "2027-01-22"),
        ("still_waiting", 2, "2027-03-23"),
        ("expire", 1, "2027-05-22"),
    ]
    expected = due(new(Referral, "waitlisted", expected_on="2026-12-15"))
    assert [time[:10] for *_, time in expected] == ["2026-12-15", "2027-02-13", "2027-04-14"]
    over = due(new(Referral, "waitlisted", expected_on="2026-11-02"))
    assert over == asked, "a day that is over when it is said is none to wait for"


def test_a_day_that_was_named_is_asked_about_five_working_days_after() -> None:
    assert due(new(Referral, "accepted", first_contact_on="2026-12-18")) == [
        ("first_contact", 1, "2026-12-28T08:00+01:00")
    ]
    assert due(new(Referral, "accepted")) == []
    assert due(new(Training, planned_start="2026-12-07")) == [("start", 1, "2026-12-14T08:00+01:00")]
    running = new(Training, "started", planned_start="2026-09-01", planned_end="2026-10-30")
    assert due(running) == [("end", 1, "2026-11-30T08:00+01:00")], "deadlines run from recording"
    assert due(new(Training, "started")) == due(new(Training, "suspended", planned_end="2027-01-04")) == []


def test_a_placement_is_followed_to_a_year_after_its_end() -> None:
    for status in ("proposed", "confirmed"):
        assert due(new(Placement, status, planned_start="2026-12-07")) == [("start", 1, "2026-12-14T08:00+01:00")]
    assert due(new(Placement, "started", planned_end="2027-04-30")) == [
        ("end_near", 1, "2027-03-01T08:00+01:00"),
        ("end", 1, "2027-05-10T08:00+02:00"),  # the 6th is Ascension Day
    ]
    short = new(Placement, "started", planned_end="2026-12-31")
    assert [kind for kind, *_ in due(short)] == ["end"], "less than sixty days: nothing that its start did not say"
    ended = [(number, time[:10]) for _, number, time in due(new(Placement, "ended", ended_on="2026-11-30"))]
    assert ended == [(3, "2027-02-28"), (6, "2027-05-30"), (12, "2027-11-30")]
    assert [number for _, number, _ in due(new(Placement, "ended", ended_on="2026-05-01"))] == [12]


def test_nothing_is_due_of_what_is_over() -> None:
    over = ("declined", "redirected", "cancelled", "completed", "interrupted", "expired", "refused", "void")
    for kind in (Referral, Training, Placement):
        for status in over:
            assert of(new(kind, status, **FACTS), MONDAY) == []


def test_being_received_a_referral_goes_on_waiting_as_it_was() -> None:
    assert wait(new(Referral, "sent")) == wait(new(Referral, "received"))
    others = {wait(new(Referral, status)) for status in ("sent", "waitlisted", "accepted", "declined", "expired")}
    assert len(others) == 5


def test_of_what_fell_due_while_nobody_looked_the_newest_is_said() -> None:
    found = of(new(Referral), MONDAY)
    for upto in range(1, len(found) + 1):
        assert newest(reversed(found[:upto])) == found[upto - 1]
    at = found[0].due_at
    assert newest([Deadline("escalate", at), Deadline("reminder", at, 2)]).kind == "escalate"


def test_a_last_day_is_over_at_midnight_in_brussels() -> None:
    assert at_end_of(date(2026, 12, 31)).astimezone(UTC) == datetime(2026, 12, 31, 23, tzinfo=UTC)
    assert at_end_of(date(2026, 6, 30)).astimezone(UTC) == datetime(2026, 6, 30, 22, tzinfo=UTC)
    changed = at_end_of(date(2026, 10, 25)).astimezone(UTC) - at_end_of(date(2026, 10, 24)).astimezone(UTC)
    assert changed == timedelta(hours=25)


FACTS: dict[str, Any] = {
    "first_contact_on": "2026-12-03",
    "planned_end": "2027-08-31",
    "ended_on": "2027-08-31",
    "expected_on": "2027-01-15",
}
SAID = [
    (Referral, "sent", "reminder", 1, "referral.reminder_due", {"number": 1, "reply_by": date(2026, 12, 1)}),
    (Referral, "received", "reminder", 2, "referral.reminder_due", {"number": 2}),
    (Referral, "received", "escalate", 1, "referral.escalated", {"reply_by": date(2026, 12, 1)}),
    (Referral, "waitlisted", "still_waiting", 1, "referral.news_due", {"about": "still_waiting", "since": MONDAY}),
    (Referral, "accepted", "first_contact", 1, "referral.news_due", {"since": date(2026, 12, 3)}),
    (Training, "enrolled", "start", 1, "training.news_due", {"about": "start", "since": date(2026, 12, 7)}),
    (Training, "started", "end", 1, "training.news_due", {"about": "end", "since": date(2027, 8, 31)}),
    (Placement, "confirmed", "start", 1, "placement.news_due", {"about": "start", "since": date(2026, 12, 7)}),
    (Placement, "started", "end", 1, "placement.news_due", {"about": "end", "since": date(2027, 8, 31)}),
    (Placement, "started", "end_near", 1, "placement.end_near", {"planned_end": date(2027, 8, 31)}),
    (Placement, "ended", "follow_up", 6, "placement.follow_up_due", {"months": 6}),
]


OF_AGREEMENTS = {"expire", "renewal", "end_agreement", "cover"}
"""Kinds that end something, or that an agreement or a convention has."""


@pytest.mark.parametrize(("kind", "status", "what", "number", "type_", "more"), SAID)
def test_a_deadline_makes_its_event_and_only_while_it_means_something(
    kind: type[Act], status: str, what: Kind, number: int, type_: str, more: dict[str, Any]
) -> None:
    deadline = Deadline(what, deadlines.in_the_morning(MONDAY), number)
    event = event_of(new(kind, status, **FACTS), deadline)
    assert event is not None
    assert event.TYPE.removeprefix("jalons.") == f"{type_}.v1"
    assert TYPES[event.TYPE] is type(event)
    assert more.items() <= event.model_dump().items()
    assert event_of(new(kind, "void", **FACTS), deadline) is None, "it has moved on"
    assert expires(new(kind, status, **FACTS), deadline, MONDAY) is None


def test_a_follow_up_that_was_told_of_already_is_not_asked_for() -> None:
    deadline = Deadline("follow_up", deadlines.in_the_morning(MONDAY), 6)
    told = new(Placement, "ended", **FACTS, follow_ups={"6": "in_job"})
    assert event_of(told, deadline) is None
    assert event_of(new(Placement, "ended", **FACTS, follow_ups={"3": "in_job"}), deadline) is not None


def test_every_kind_of_deadline_and_of_news_has_its_saying() -> None:
    assert {what for _, _, what, *_ in SAID} | OF_AGREEMENTS == set(get_args(Kind)) == set(deadlines._STAGES)
    asked = {what for _, _, what, _, type_, _ in SAID if type_.endswith("news_due")}
    assert asked == set(get_args(codes.NewsDue))


@pytest.mark.parametrize("status", ["sent", "received", "waitlisted"])
def test_who_was_never_answered_expires(status: str) -> None:
    deadline = Deadline("expire", deadlines.in_the_morning(MONDAY))
    decided = expires(new(Referral, status), deadline, MONDAY)
    assert decided is not None
    assert (decided.state.status, decided.event.TYPE) == ("expired", "jalons.referral.expired.v1")
    assert event_of(new(Referral, status), deadline) is None
    assert expires(new(Referral, "accepted"), deadline, MONDAY) is None
