"""A hub of its own for accidents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jalons.embedded.stack import Stack
from tests.conftest import PORTS
from tests.support.network import Network


@pytest.fixture(scope="session")
def victim(folder: Path) -> Iterator[Stack]:
    """A whole hub whose parts may be killed; its supervisor starts them again, and it is as good as new."""
    with Stack(folder / "victim", port_base=PORTS + 3) as running:
        yield running


@pytest.fixture(scope="session")
def partners(victim: Stack) -> Network:
    """Intégra Plus loaded into it."""
    return Network(victim.info).load()
