"""What the tests of services share beside the servers of the session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jalons.embedded.stack import Servers
from tests.support import apps as in_process
from tests.support.apps import Apps
from tests.support.forms import one_of_everything


@pytest.fixture
def postgres(servers: Servers) -> str:
    """The URL of the session's PostgreSQL."""
    return servers.database_url


@pytest.fixture(scope="session")
def apps(folder: Path) -> Iterator[Apps]:
    """The three services in this process, with the network loaded; shared."""
    with in_process.database(folder / "apps") as url, in_process.apps(url) as running:
        yield running


@pytest.fixture(scope="session")
def playground(folder: Path) -> Iterator[Apps]:
    """Services of their own for what is tried out: it may suspend a partner."""
    with in_process.database(folder / "playground") as url, in_process.apps(url) as running:
        yield running


@pytest.fixture(scope="session")
def real(playground: Apps) -> dict[str, str]:
    """What is there, by the name of the parameter that may name it; an act's id by its noun."""
    return one_of_everything(playground) | {"measure": "persons_new", "by": "month,home"}
