"""The operator is told of a lasting change once, and each Monday that all is well."""

from __future__ import annotations

from datetime import datetime, timedelta

from jalons.clock import BRUSSELS
from services.notifications.operator.rules import Kind, Told, Trouble, decide

DOWN = [Trouble("referrals", "relay")]
MONDAY = datetime(2026, 11, 30, 8, 0, tzinfo=BRUSSELS)


def said(*minutes: list[Trouble], start: datetime = MONDAY + timedelta(hours=4)) -> list[tuple[int, Kind]]:
    """Which mails are sent, and in which minute."""
    told, mails = Told(week=MONDAY.date()), []
    for minute, troubles in enumerate(minutes):
        told, kind = decide(told, troubles, start + timedelta(minutes=minute))
        if kind is not None:
            mails.append((minute, kind))
    return mails


def test_what_lasts_is_told_once_and_once_when_it_is_over() -> None:
    assert said(*[DOWN] * 60, *[[]] * 60) == [(2, "degraded"), (62, "well")]


def test_a_restart_is_not_told() -> None:
    assert said([], DOWN, [], DOWN, DOWN, [], []) == []


def test_a_flicker_does_not_make_it_well() -> None:
    assert said(*[DOWN] * 5, [], DOWN, [], DOWN, *[[]] * 5) == [(2, "degraded"), (11, "well")]


def test_another_trouble_on_top_sends_no_second_mail() -> None:
    assert said(*[DOWN] * 5, *[[*DOWN, Trouble("observation", "batch")]] * 5) == [(2, "degraded")]


def test_each_monday_at_eight_it_is_said_that_all_is_well() -> None:
    told = Told()
    mails = []
    for hour in range(24 * 21):
        now = MONDAY - timedelta(days=3) + timedelta(hours=hour)
        told, kind = decide(told, [], now)
        if kind is not None:
            mails.append((kind, now))
    assert mails == [("weekly", MONDAY + timedelta(weeks=n)) for n in range(3)]


def test_nobody_is_told_that_all_is_well_while_it_is_not() -> None:
    told = Told(degraded=True, week=MONDAY.date() - timedelta(days=7))
    told, kind = decide(told, DOWN, MONDAY)
    assert kind is None
    told, kind = decide(told, [], MONDAY + timedelta(hours=1))
    told, kind = decide(told, [], MONDAY + timedelta(hours=2))
    assert kind == "well"
    assert decide(told, [], MONDAY + timedelta(hours=3))[1] == "weekly"
