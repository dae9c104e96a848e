"""Referrals without HTTP on a real database: commands at times that a test chooses, and clock loops."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Engine

from jalons.clock import BRUSSELS, new_id
from jalons.database import engine, transact, transaction
from jalons.messaging.codec import opened, read
from jalons.messaging.outbox import Outbox
from jalons.privacy.keys import GONE
from jalons.process.settings import Settings
from jalons.process.wiring import Ground, ground
from jalons.web.identity import Principal
from schemas.envelope import Event
from services.referrals.acts import commands, sending
from services.referrals.acts.rows import Acts
from services.referrals.deadlines.loop import ClockLoop
from services.referrals.directory import commands as directory
from services.referrals.persons.keys import PersonKeys
from services.referrals.work import Call, Hub, Work
from tests.support.network import PARTNERS, PROFILE, Network
from tests.support.parts import at_work
from tests.support.sql import execute

SECRET = "a secret that is long enough for tests"
T = TypeVar("T")


def brussels(text: str) -> datetime:
    """The instant of a local time in Brussels, such as `2026-11-26 08:00`."""
    return datetime.fromisoformat(text).replace(tzinfo=BRUSSELS)


@dataclass
class Desk:
    """The referrals service in one schema. at: the current time."""

    engine: Engine
    at: datetime
    ground: Ground = field(init=False)
    keys: PersonKeys = field(init=False)

    def __post_init__(self) -> None:
        self.keys = PersonKeys(self.engine, SECRET)
        settings = Settings(database_url="none", kafka="none:1", secret_key=SECRET, hub_client_secret="none")
        self.ground = ground(settings, "referrals", self.engine, Outbox("referrals", self.keys.wanted))

    def loop(self) -> ClockLoop:
        """A new clock loop; there may be several."""
        return ClockLoop(self.ground, self.keys, lambda: self.at)

    def do(self, partner: str | None, command: Callable[[Work], T]) -> T:
        """Run a command as a partner, or as the coordinator if None."""
        scope = "partner" if partner else "coordinator"
        principal = Principal(scope, partner or "integra-plus", frozenset({scope}))

        def run(conn: Any) -> T:
            work = Work(conn, Call(new_id(), principal, self.at), Hub.of(self.ground, self.keys))
            result = command(work)
            work.append()
            return result

        return transact(self.engine, run)

    def load(self, **convention: Any) -> Desk:
        """Load the partners and one convention between them."""
        for slug, record in PARTNERS.items():
            whole = {"phone_hours": None, "address": None, "language": "fr", "trial": False}
            whole |= {"front": False, "places": [], "valid_from": None, "valid_to": None, **record}
            self.do(None, lambda work, slug=slug, whole=whole: directory.put_partner(work, slug, whole))
        terms: dict[str, Any] = {"reply_within_working_days": 5, "remind_on_working_days": [3, 5]}
        terms |= {"expire_after_days": 30, "escalate_on_working_day": 7, "valid_to": None, "retention_months": 24}
        record = Network.convention() | terms | {"valid_from": self.at.date()} | convention
        self.do(None, lambda work: directory.sign_convention(work, record))
        return self

    def refer(self, **more: Any) -> Any:
        """Refer a new person to Le Trusquin."""
        given = {
            "person": {"profile": PROFILE},
            "agreement": {"channel": "paper"},
            "recipient": "le-trusquin",
            "moment": "formation",
            "reason": "training",
            "goal": "qualify",
            "chosen_by": "together",
            "contact": "receiver_calls_referrer",
            **more,
        }
        return self.do("cpas-hotton", lambda work: sending.send_referral(work, given))

    def step(self, store: Acts[Any], state: Any, action: str, by: str = "le-trusquin", **given: Any) -> Any:
        """One action of one of the tables."""
        return self.do(by, lambda work: commands.step(work, store, state.id, action, given))

    def passes(self, upto: str) -> list[str]:
        """Move the time forward and process due deadlines; returns the types of the hub's own new events, in order."""
        before = len(self.said())
        self.at = brussels(upto)
        work_off(self.loop())
        return [event.type.removeprefix("jalons.").removesuffix(".v1") for event in self.said()[before:]]

    def log(self) -> list[Event]:
        """All events, in order, without their sealed part."""
        with transaction(self.engine) as conn:
            rows = execute(conn, "SELECT value FROM events ORDER BY appended").fetchall()
        return [opened(read(bytes(row.value)), GONE) for row in rows]

    def length(self) -> int:
        """Number of events; fast enough to observe a loop at work."""
        with transaction(self.engine) as conn:
            row = execute(conn, "SELECT count(*) FROM events").fetchone()
        return int(row[0]) if row else 0

    def said(self) -> list[Event]:
        """The hub's own events, in order."""
        return [event for event in self.log() if event.partner == "hub"]

    def open_rows(self) -> int:
        """Number of open deadlines, future or overdue."""
        with transaction(self.engine) as conn:
            row = execute(conn, "SELECT count(*) FROM deadlines WHERE done_at IS NULL").fetchone()
        return int(row[0]) if row else 0

    def doubled(self) -> list[Any]:
        """Own events of the hub that occur more than once for a person."""
        counted = Counter((event.subject, event.type, event.data.model_dump_json()) for event in self.said())
        return [key for key, times in counted.items() if times > 1]


def work_off(loop: ClockLoop) -> None:
    """Run the loop until nothing is due."""
    while loop.step():
        pass


if __name__ == "__main__":
    url, schema, instant = sys.argv[1:]
    at_work(Desk(engine(url, schema), datetime.fromisoformat(instant)).loop().part)
    threading.Event().wait()
