"""What the tests of services share beside the servers of the session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import apps as in_process
from tests.support.apps import Apps


@pytest.fixture(scope="session")
def apps(folder: Path) -> Iterator[Apps]:
    """The three services in this process, with the network loaded; shared."""
    with in_process.database(folder / "apps") as url, in_process.apps(url) as running:
        yield running
