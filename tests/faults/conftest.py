"""A separate hub for failure tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jalons.embedded.stack import Stack
from tests.conftest import PORTS
from tests.support.network import Network


@pytest.fixture(scope="session")
def victim(folder: Path) -> Iterator[Stack]:
    """A complete hub whose processes may be killed; its supervisor restarts them."""
    with Stack(folder / "victim", port_base=PORTS + 3) as running:
        yield running


@pytest.fixture(scope="session")
def partners(victim: Stack) -> Network:
    """Intégra Plus loaded into that hub."""
    return Network(victim.info).load()
