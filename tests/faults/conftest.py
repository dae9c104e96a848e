"""A hub of its own for accidents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jalons.embedded.stack import Stack
from tests.support.network import Network


@pytest.fixture(scope="module")
def victim(folder: Path, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A whole hub whose parts may be killed; its supervisor starts them again."""
    with Stack(folder / f"victim-{request.module.__name__.rpartition('.')[2]}", port_base=19001) as running:
        yield running


@pytest.fixture(scope="module")
def partners(victim: Stack) -> Network:
    """Intégra Plus loaded into it."""
    return Network(victim.info).load()
