"""An unanswered referral gets two reminders, an escalation and expiry, each once, although processes are killed."""

from __future__ import annotations

import json
import time
from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any

import jwt
import pytest

from jalons.clock import BRUSSELS, local_date, now
from jalons.embedded.stack import Stack
from services.referrals.deadlines.working_days import after_working_days
from tests.support.accidents import kill
from tests.support.calls import refused
from tests.support.network import Network, eventually
from tests.support.stream import hub_token, log_of

MONDAY = local_date(now()) + timedelta(days=7 - local_date(now()).weekday())
"""The next Monday: time only moves forward."""


@pytest.fixture(scope="module")
def early(moved: Stack) -> Network:
    """Intégra Plus on that hub, on Monday morning."""
    network = Network(moved.info).load()
    network.operator.done("POST", "/test/clock", {"now": at(MONDAY, "10:00")})
    time.sleep(1.1)  # the other services read the clock's file once a second
    return network


def at(day: date, clock: str = "08:00") -> str:
    """A local time in Brussels, as RFC 3339."""
    return datetime.fromisoformat(f"{day.isoformat()} {clock}").replace(tzinfo=BRUSSELS).isoformat()


class Watch:
    """The hub's own events about one referral."""

    def __init__(self, network: Network, secret: str, referral_id: str) -> None:
        self.network, self.secret, self.referral_id = network, secret, referral_id

    def types(self) -> list[str]:
        """Types of the events, in the order of the log."""
        log = log_of(self.network, hub_token(self.network, self.secret))
        return [
            event["type"].removeprefix("jalons.referral.").removesuffix(".v1")
            for event in log
            if event["partner"] == "hub" and event["data"].get("referral_id") == self.referral_id
        ]

    def passes(self, upto: str, *, most: int) -> list[str]:
        """Move the time; returns the types of the hub's events, once there are at least `most`."""
        moved = self.network.operator.done("POST", "/test/clock", {"now": upto})
        assert datetime.fromisoformat(moved["now"]) >= datetime.fromisoformat(upto)
        eventually(lambda: len(self.types()) >= most)
        return self.types()


def test_an_unanswered_referral_is_reminded_escalated_and_expired_once_each(moved: Stack, early: Network) -> None:
    network = early
    coordinator, trusquin = network["integra-plus"], network["le-trusquin"]
    referral = network["cpas-hotton"].refer("le-trusquin")
    watch = Watch(network, moved.secrets["hub_client_secret"], referral["referral_id"])
    third, fifth, seventh = (after_working_days(MONDAY, days) for days in (3, 5, 7))

    assert watch.passes(at(third, "07:59"), most=0) == []
    assert watch.passes(at(third), most=1) == ["reminder_due"]
    kill(moved, "referrals")
    trusquin.done("POST", f"/referrals/{referral['ref']}/receive")
    assert watch.passes(at(fifth), most=2) == ["reminder_due", "reminder_due"]
    assert coordinator.done("GET", "/referrals?late=true")["items"] == []
    kill(moved, "postgres")
    assert watch.passes(at(seventh), most=3) == ["reminder_due", "reminder_due", "escalated"]

    assert _first_seen(network, "referral.escalated")["data"]["reference"] == referral["ref"]
    [late] = coordinator.done("GET", "/referrals?late=true")["items"]
    age = (seventh - MONDAY).days
    between = {"from": "cpas-hotton", "to": "le-trusquin", "moment": "formation"}
    assert late == {"ref": referral["ref"], **between, "age_days": age}
    refused(trusquin.call("GET", "/referrals?late=true"), 403, "wrong_scope")
    refused(coordinator.call("GET", "/referrals"), 403, "wrong_scope")

    kill(moved, "referrals")
    assert watch.passes(at(MONDAY + timedelta(days=30)), most=4)[-1] == "expired"
    answer = trusquin.call("POST", f"/referrals/{referral['ref']}/accept")
    refused(answer, 409, "transition_not_allowed")
    assert answer.json()["actions"] == trusquin.done("GET", f"/referrals/{referral['ref']}")["actions"]
    assert "expired" in answer.json()["detail"]
    assert coordinator.done("GET", "/referrals?late=true")["items"] == []

    kill(moved, "referrals")
    watch.passes(at(MONDAY + timedelta(days=90)), most=4)
    assert Counter(watch.types()) == {"reminder_due": 2, "escalated": 1, "expired": 1}


def test_all_services_share_a_clock_that_moves_forward_only(moved: Stack, early: Network) -> None:
    network = early
    network["cpas-erezee"].refer("le-trusquin")
    headers = hub_token(network, moved.secrets["hub_client_secret"])
    before = datetime.fromisoformat(at(MONDAY, "09:59"))
    for service in ("referrals", "observation", "notifications"):

        def newest(service: str = service) -> bool:
            answer = network.http.get(f"{network.info[service]}/events", params={"limit": 1000}, headers=headers)
            times = [datetime.fromisoformat(event["recordedtime"]) for event in answer.json()["items"]]
            return bool(times) and max(times) > before

        eventually(newest)
    refused(network.operator.call("POST", "/test/clock", {"now": at(MONDAY)}), 409, "clock_moves_forward")
    claims = jwt.decode(headers["Authorization"].removeprefix("Bearer "), options={"verify_signature": False})
    assert claims["iat"] <= now().timestamp() < claims["exp"], "other systems check a token with their own clocks"


def _first_seen(network: Network, types: str) -> dict[str, Any]:
    """The first event of these types in the coordinator's stream."""
    headers = {"Authorization": f"Bearer {network['integra-plus'].token()}"}
    address = f"{network.info['observation']}/stream"
    with network.http.stream("GET", address, params={"types": types, "after": 0}, headers=headers) as answer:
        for line in answer.iter_lines():
            if line.startswith("data: "):
                return dict(json.loads(line.removeprefix("data: ")))
    raise AssertionError("the stream ended")
