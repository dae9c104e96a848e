"""Real servers for every test that needs one: a broker and PostgreSQL for the session, a whole hub where it counts."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from jalons.database import engine, transaction
from jalons.embedded.folder import free_run
from jalons.embedded.stack import Servers, Stack
from jalons.messaging import migration
from tests.support.network import Network
from tests.support.sql import execute

PORTS = free_run(10_000 + os.getpid() % 800 * 10, 10)[0]
"""Ten ports of this process: two can test at once."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long the storm lasts; `make chaos` gives it minutes."""
    parser.addoption("--storm-seconds", type=int, default=15)


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A folder for the session's servers."""
    with tempfile.TemporaryDirectory(prefix="jalons-tests-") as path:
        yield Path(path)


@pytest.fixture(scope="session")
def servers(folder: Path) -> Iterator[Servers]:
    """Broker and PostgreSQL, empty."""
    with Servers(folder / "servers") as running:
        yield running


@pytest.fixture
def schema(servers: Servers) -> str:
    """A schema of its own with messaging's tables in it."""
    name = f"t_{uuid.uuid4().hex[:12]}"
    pool = engine(servers.database_url, "public", pool=1)
    with transaction(pool) as conn:
        execute(conn, f"CREATE SCHEMA {name}")
        execute(conn, f"SET LOCAL search_path TO {name}")
        execute(conn, migration.first())
    pool.dispose()
    return name


@pytest.fixture
def database(servers: Servers, schema: str) -> Iterator[Engine]:
    """An engine on that schema."""
    pool = engine(servers.database_url, schema, pool=8)
    yield pool
    pool.dispose()


@pytest.fixture(scope="session")
def stack(folder: Path) -> Iterator[Stack]:
    """A whole hub, shared by the tests that leave it standing."""
    with Stack(folder / "hub", port_base=PORTS, allow_loopback_webhooks=True) as running:
        yield running


@pytest.fixture(scope="session")
def network(stack: Stack) -> Network:
    """Intégra Plus loaded into the shared hub."""
    return Network(stack.info).load()
