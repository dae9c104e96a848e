"""A second hub with a test clock, for journeys that last for days."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jalons.embedded.stack import Stack
from tests.conftest import PORTS


@pytest.fixture(scope="session")
def moved(folder: Path) -> Iterator[Stack]:
    """A hub with a test clock. Time only moves forward: journeys run in the order of their names, and each starts at a
    later time than the previous one ended."""
    with Stack(folder / "moved", port_base=PORTS + 6, test_clock=True) as running:
        yield running
