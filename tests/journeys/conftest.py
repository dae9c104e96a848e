"""A second hub, whose time may be moved, for the journeys that wait for days."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jalons.embedded.stack import Stack
from tests.conftest import PORTS


@pytest.fixture(scope="session")
def moved(folder: Path) -> Iterator[Stack]:
    """A hub whose time may be moved. It goes forward only: journeys begin in the order of their names, each later than
    the one before ends."""
    with Stack(folder / "moved", port_base=PORTS + 6, test_clock=True) as running:
        yield running
