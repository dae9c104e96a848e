"""Fixtures and builders for the tests of observation: its schema, persons with their events, an HTTP client."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Connection, Engine, create_engine, text

from jalons.database import engine as open_engine
from jalons.embedded.stack import Servers
from jalons.messaging import progress
from jalons.messaging.codec import opened, read
from jalons.messaging.outbox import Outbox
from jalons.privacy.aliases import alias
from jalons.privacy.sealing import derive
from jalons.process.migrate import upgrade
from jalons.process.settings import Settings
from jalons.web.identity import Principal
from schemas.catalogue import TYPES
from schemas.envelope import Event
from schemas.examples import DATA, SEALED
from services.observation import service as wiring
from services.observation.pathways.apply import Project
from services.observation.stream import rows as stream_rows

MORNING = datetime(2026, 3, 2, 8, tzinfo=UTC)
SECRET = "a secret for tests only, of forty-some characters"
REFERRALS = "/services/referrals"
FORGOTTEN_KEYS: list[str] = []


@pytest.fixture
def engine(servers: Servers) -> Iterator[Engine]:
    """An engine on observation's schema, new for each test."""
    admin = create_engine(servers.database_url)
    with admin.connect() as conn:
        conn.execute(text("DROP SCHEMA IF EXISTS observation CASCADE"))
        conn.commit()
        upgrade(conn, "observation")
    admin.dispose()
    pool = open_engine(servers.database_url, "observation")
    yield pool
    pool.dispose()


def alias_of(ref: str, partner: str) -> UUID:
    return alias(derive(SECRET, "aliases"), ref, partner)


@dataclass
class Person:
    """Builds the events that referrals publishes about one person."""

    home: str = "cpas-hotton"
    ref: str = field(default_factory=lambda: str(uuid4()))
    sequence: int = 0

    def event(self, kind: str, day: float = 0, **data: Any) -> Event:
        self.sequence += 1
        type_ = f"jalons.{kind}.v1"
        payload = TYPES[type_]
        at = MORNING + timedelta(days=day)
        base = {name: value for name, value in DATA[type_].items() if name not in {"referral_id", "offer"}}
        home = {name: self.home for name in ("referrer", "proposer") if name in base} | {"home": self.home}
        return Event(
            id=uuid4(),
            source=REFERRALS,
            subject=self.ref,
            sequence=self.sequence,
            time=at,
            recorded=data.pop("recorded", at),
            partner=data.pop("partner", self.home),
            correlation=uuid4(),
            causation=uuid4(),
            data=payload.model_validate(base | home | data),
            sealed=payload.SEALED.model_validate(SEALED[type_]) if payload.SEALED else None,
        )

    def bilan(self) -> list[Event]:
        """Registered, referred to Le Trusquin for a bilan, started and completed: five events over ten days."""
        about = {"referral_id": uuid4(), "moment": "projet"}
        course = about | {"training_id": uuid4(), "partner": "le-trusquin"}
        return [
            self.event("beneficiary.registered"),
            self.event("referral.sent", 1, **about),
            self.event("referral.accepted", 2, **about, partner="le-trusquin"),
            self.event("training.started", 5, **course),
            self.event("training.completed", 9, **course),
        ]


def project() -> Project:
    return Project(Outbox("observation"), alias_of, FORGOTTEN_KEYS.append)


def apply(engine: Engine, events: Sequence[Event]) -> None:
    """Claim and apply in one transaction, as delivery does."""
    with engine.begin() as conn:
        claim_and_apply(conn, events)


def claim_and_apply(conn: Connection, events: Sequence[Event]) -> None:
    project()(conn, progress.claim(conn, events).ready)


def derived_events(engine: Engine) -> list[Event]:
    with engine.begin() as conn:
        rows = conn.exec_driver_sql("SELECT value FROM events ORDER BY appended").scalars().all()
    return [opened(read(bytes(value)), None) for value in rows]


def stream_events(engine: Engine) -> list[tuple[int, Event]]:
    with engine.begin() as conn:
        return stream_rows.page(conn, 0, 10_000)[0]


class Tokens:
    """A fake verifier: the token is the name of the client."""

    def principal(self, header: str | None) -> Principal:
        name = (header or "").removeprefix("Bearer ")
        scopes = {"coordinator": ["coordinator"], "statistics": ["read:counts"]}.get(name, ["partner", "read:counts"])
        partner = None if name == "statistics" else "integra-plus" if name == "coordinator" else name
        return Principal(name, partner, frozenset(scopes))


@dataclass
class Api:
    """The service's HTTP API, called by a named client."""

    client: TestClient

    def ask(self, who: str, path: str, **query: Any) -> httpx.Response:
        return self.client.get(path, params=query, headers={"Authorization": f"Bearer {who}"})

    def get(self, who: str, path: str, **query: Any) -> dict[str, Any]:
        answer = self.ask(who, path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()


def built(postgres: str) -> wiring.Service:
    settings = Settings(database_url=postgres, kafka="127.0.0.1:1", secret_key=SECRET, hub_client_secret="none")
    service = wiring.build(settings)
    service.app.state.verifier = Tokens()
    return service


@pytest.fixture
def api(postgres: str, engine: Engine) -> Iterator[Api]:
    with TestClient(built(postgres).app) as client:
        yield Api(client)


def counts_of(engine: Engine) -> dict[str, int]:
    with engine.begin() as conn:
        rows = conn.exec_driver_sql("SELECT measure, sum(n)::int FROM counts GROUP BY 1")
        return {row[0]: row[1] for row in rows}
