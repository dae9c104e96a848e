"""The three services in one process, with a real PostgreSQL and without Kafka or ports.

Requests pass through the complete HTTP applications; tokens are signed by referrals and verified. Events of referrals
reach observation when a test calls `tell`.
"""

from __future__ import annotations

import importlib
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi.testclient import TestClient
from sqlalchemy import Engine, create_engine

from jalons.database import engine, transaction
from jalons.embedded.postgres import Postgres
from jalons.messaging import progress
from jalons.messaging.codec import opened, read
from jalons.messaging.outbox import Outbox
from jalons.privacy.aliases import alias
from jalons.privacy.sealing import derive
from jalons.process.migrate import upgrade
from jalons.process.serve import Service
from jalons.process.settings import SERVICES, Settings
from services.observation.pathways.apply import Project
from services.referrals.persons.keys import PersonKeys
from tests.support.answers import Checked
from tests.support.network import Network
from tests.support.sql import execute

SECRET = "a secret for tests only, of forty-some characters"


@contextmanager
def database(folder: Path) -> Iterator[str]:
    """A PostgreSQL server with the three schemas; yields its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder.mkdir(parents=True)
    server = Postgres(folder / "postgres", port, "secret")
    server.prepare()
    process = server.launch()
    until = time.monotonic() + 60
    while not server.ready():
        assert time.monotonic() < until
        time.sleep(0.05)
    admin = create_engine(server.url)
    with admin.connect() as conn:
        for service in SERVICES:
            upgrade(conn, service)
    admin.dispose()
    yield server.url
    process.send_signal(server.stop_signal)
    process.wait(20)  # type: ignore[attr-defined]


@dataclass
class Router:
    """Replaces the HTTP client: `http://referrals/…` is routed to that service's application."""

    clients: dict[str, TestClient]
    checked: dict[str, Checked]

    def request(self, method: str, url: str, **more: Any) -> httpx.Response:
        """Send a request to the application that the URL's host names. The answer must be as its document says."""
        service, _, path = url.removeprefix("http://").partition("/")
        answer: httpx.Response = self.clients[service].request(method, f"/{path}", **more)  # type: ignore[assignment]
        self.checked[service](answer)
        return answer

    def post(self, url: str, **more: Any) -> httpx.Response:
        """Send a POST request."""
        return self.request("POST", url, **more)


@dataclass
class Apps:
    """The services with Intégra Plus loaded, and access to each schema.

    told: `appended` of the last event that observation received.
    """

    services: dict[str, Service]
    network: Network
    engines: dict[str, Engine]
    told: int = 0

    def rows(self, service: str, statement: str, *values: Any) -> list[Any]:
        """Execute a statement in a service's schema; returns its rows."""
        with transaction(self.engines[service]) as conn:
            return list(execute(conn, statement, values).fetchall())

    def tell(self) -> None:
        """Apply referrals' new events to observation, as delivery does, and assign positions, as the relay does."""
        named = derive(SECRET, "aliases")
        project = Project(Outbox("observation"), lambda ref, partner: alias(named, ref, partner), lambda _subject: None)
        rows = self.rows("referrals", "SELECT appended, value FROM events WHERE appended > %s ORDER BY 1", self.told)
        said = [read(bytes(row.value)) for row in rows]
        keys = PersonKeys(self.engines["referrals"], SECRET).resolve({each.subject for each in said})
        with self.engines["observation"].begin() as conn:
            events = [opened(each, keys.get(each.subject)) for each in said]
            project(conn, progress.claim(conn, events).ready)
        self.told = rows[-1].appended if rows else self.told
        for service in ("referrals", "observation"):
            self.rows(service, "UPDATE events SET position = appended WHERE position IS NULL RETURNING position")


@contextmanager
def apps(url: str) -> Iterator[Apps]:
    """The services on this database, with the network loaded."""
    settings = Settings(
        database_url=url,
        kafka="127.0.0.1:1",
        secret_key=SECRET,
        hub_client_secret="the hub's own secret",
        operator_client_secret="the operator's own secret",
        mail_catcher_dir=None,
    )
    built = {name: importlib.import_module(f"services.{name}.service").build(settings) for name in SERVICES}
    for service in built.values():
        service.app.state.verifier = built["referrals"].app.state.verifier
    with ExitStack() as open_:
        clients = {
            name: open_.enter_context(TestClient(service.app, raise_server_exceptions=False))
            for name, service in built.items()
        }
        checked = {name: Checked(service.app) for name, service in built.items()}
        info = {name: f"http://{name}" for name in SERVICES} | {
            "operator": {"client_id": "operator", "client_secret": "the operator's own secret"},
            "hub": {"client_id": "hub", "client_secret": "the hub's own secret"},
            "database": url.replace("postgresql+psycopg", "postgresql"),
        }
        engines = {name: engine(url, name, pool=4) for name in SERVICES}
        yield Apps(built, Network(info, Router(clients, checked)).load(), engines)  # type: ignore[arg-type]
        for each in engines.values():
            each.dispose()
