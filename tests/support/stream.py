"""A stream of partners' calls during failures, and the check that no event is lost, duplicated or reordered."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import psycopg

from jalons.clock import local_date, now
from jalons.messaging.codec import opened, read
from jalons.privacy.disclosure import sees
from jalons.privacy.keys import GONE
from jalons.privacy.visibility import Role
from schemas.envelope import Event
from schemas.need import UnmetV1
from schemas.referral import ReferralEvent
from services.observation.counts.rules import MEASURES, net
from tests.support.days import day
from tests.support.network import PROFILE, Network, Partner, eventually
from tests.support.own import own

_YEAR = local_date(now()).year
_FIRST, _LAST = f"{_YEAR - 1}-01", f"{_YEAR}-12"
MONTHS = f"from={_FIRST}&to={_LAST}"
"""What the tests count happens within these."""
COUNTED = tuple(measure.name for kind, measure in MEASURES.items() if sees(kind, "type", Role.COORDINATOR))


@dataclass
class Answered:
    """A call answered with 2xx. call: its id as its caller knows it, the cause of its events."""

    beneficiary: str
    caller: str
    call: str


@dataclass
class Stream:
    """Callers that call continuously, and repeat each call with its idempotency key until it is answered."""

    network: Network
    callers: int = 2
    answered: list[Answered] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Stream:
        for _ in range(self.callers):
            thread = threading.Thread(target=self._send)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)

    def wait_for(self, more: int, seconds: float = 40) -> None:
        """Wait until `more` further calls are answered."""
        goal = len(self.answered) + more
        eventually(lambda: len(self.answered) >= goal, seconds)

    def _send(self) -> None:
        while not self._stopping.is_set():
            self._one_way()

    def _one_way(self) -> None:
        """Four calls about a new person, by the partner responsible for each."""
        hotton, trusquin = self.network["cpas-hotton"], self.network["le-trusquin"]
        body = {
            "person": {"profile": PROFILE},
            "agreement": {"channel": "paper"},
            "recipient": "le-trusquin",
            "moment": "formation",
            "reason": "training",
            "goal": "qualify",
            "chosen_by": "together",
            "contact": "receiver_calls_referrer",
        }
        sent = self._until_answered(hotton, "/referrals", body)
        if sent is None:
            return
        person = sent["beneficiary"]
        for action, given in (("receive", {}), ("accept", {}), ("start", {"started_on": day()})):
            if self._until_answered(trusquin, f"/referrals/{sent['referral_id']}/{action}", given, person) is None:
                return

    def _until_answered(
        self, who: Partner, path: str, body: dict[str, Any], person: str | None = None
    ) -> dict[str, Any] | None:
        """Repeat a call with the same key until it is answered with 2xx; None if the test ends first."""
        key = str(uuid.uuid4())
        gives_up = time.monotonic() + 60
        while time.monotonic() < gives_up:
            try:
                answer = who.call("POST", path, body, key=key)
            except httpx.HTTPError:
                answer = None
            if answer is not None and answer.is_success:
                found: dict[str, Any] = answer.json()
                self.answered.append(Answered(person or found["beneficiary"], who.slug, answer.headers["Jalons-Call"]))
                return found
            if answer is not None and answer.status_code not in (409, 503):
                self.unexpected.append(f"{path}: {answer.status_code} {answer.text[:200]}")
                return None
            if self._stopping.is_set():
                return None
            time.sleep(0.1)
        self.unexpected.append(f"{path}: never answered")
        return None


def hub_token(network: Network, secret: str) -> dict[str, str]:
    """Headers of the hub's own client, which may read complete logs."""
    return {"Authorization": f"Bearer {network.token('hub', secret)}"}


def log_of(network: Network, headers: dict[str, str]) -> list[dict[str, Any]]:
    """Referrals' complete log, by position."""
    events: list[dict[str, Any]] = []
    after = 0
    while True:
        page = network.http.get(
            f"{network.info['referrals']}/events", params={"after": after, "limit": 1000}, headers=headers
        ).json()
        events += page["items"]
        if page["next"] is None:
            return events
        after = page["next"]


def check(network: Network, stream: Stream, secrets: Mapping[str, str], seconds: float = 60) -> None:
    """Every answered call is in its person's pathway, each event once and in order; counts equal those of the log."""
    assert stream.unexpected == [], stream.unexpected
    assert stream.answered, "no call was answered, so nothing was tested"
    headers = hub_token(network, secrets["hub_client_secret"])
    key = secrets["secret_key"]
    persons = {answered.beneficiary for answered in stream.answered}

    def converged() -> bool:
        return _all_sent(network) and _counts(network) == recount(log_of(network, headers))

    eventually(converged, seconds)
    by_person: dict[str, list[dict[str, Any]]] = {person: [] for person in persons}
    for event in log_of(network, headers):
        if event["subject"] in by_person:
            by_person[event["subject"]].append(event)
    for person, written in by_person.items():
        seen = (network.pathway("cpas-hotton", person) or {"events": []})["events"]
        ids = [own(key, event["id"], "cpas-hotton") for event in written]
        assert [event["id"] for event in seen] == ids, f"pathway of {person}"
        assert [event["sequence"] for event in seen] == list(range(1, len(seen) + 1))
    caused = [(event["partner"], event["causationid"]) for events in by_person.values() for event in events]
    causes = {own(key, causation, partner) for partner, causation in caused}
    missing = [answered for answered in stream.answered if answered.call not in causes]
    assert missing == [], "calls answered 2xx without an event"


def _all_sent(network: Network) -> bool:
    """Whether the relay has sent all committed events."""
    with psycopg.connect(network.info["database"]) as conn:
        row = conn.execute("SELECT count(*) FROM referrals.events WHERE position IS NULL").fetchone()
    return row == (0,)


def _counts(network: Network) -> dict[str, int]:
    found = {}
    for measure in COUNTED:
        answer = network.operator.done("GET", f"/counts?measure={measure}&by=month&{MONTHS}", service="observation")
        found[measure] = answer["total"]
    return found


def recount(log: list[dict[str, Any]]) -> dict[str, int]:
    """Each measure over MONTHS, counted from the log act by act: a correction offsets what the act added before."""
    acts: dict[str, list[Event]] = {}
    for wire in log:
        event = opened(read(json.dumps(wire).encode()), GONE)
        act = str(event.data.referral_id) if isinstance(event.data, ReferralEvent | UnmetV1) else str(event.id)
        acts.setdefault(act, []).append(event)
    total: Counter[str] = Counter()
    for events in acts.values():
        for cell, n in net(events).items():
            if _FIRST <= cell.month <= _LAST:
                total[cell.measure] += n
    return {measure: total[measure] for measure in COUNTED}
