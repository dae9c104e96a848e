"""Kills, stops past the session timeout and rebalances, at random, while calls stream in and the queue is drained."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from jalons.embedded.folder import free_run
from jalons.embedded.stack import Stack
from tests.support.accidents import kill, stop_a_while
from tests.support.network import Network
from tests.support.stream import Stream, check

pytestmark = pytest.mark.timeout(900)


def test_a_storm_loses_nothing_doubles_nothing_and_keeps_the_order(
    victim: Stack, partners: Network, request: pytest.FixtureRequest
) -> None:
    seconds = request.config.getoption("--storm-seconds")
    dice = random.Random(6940)
    second: list[subprocess.Popen[bytes]] = []
    accidents: list[Callable[[], None]] = [
        lambda: kill(victim, "observation"),
        lambda: stop_a_while(victim, "observation", 12),
        lambda: _rebalance(victim, second),
        lambda: kill(victim, "referrals"),
        lambda: kill(victim, "kafka"),
    ]
    happened = 0
    with Stream(partners, callers=2) as stream:
        stream.wait_for(5)
        until = time.monotonic() + seconds
        for accident in accidents[:3]:  # each at least once, however short the storm
            accident()
            happened += 1
        while time.monotonic() < until:
            dice.choice(accidents)()
            happened += 1
            time.sleep(dice.uniform(0.5, 3))
        for process in second:
            process.kill()
            process.wait()
        stream.wait_for(5, 90)
    assert happened >= 3
    check(partners, stream, victim.secrets["hub_client_secret"], seconds=120)


def _rebalance(victim: Stack, second: list[subprocess.Popen[bytes]]) -> None:
    """A second worker joins the group, or the one that is there is killed and leaves it."""
    if second:
        worker = second.pop()
        worker.kill()
        worker.wait()
        return
    values = {f"JALONS_{name.upper()}": str(value) for name, value in victim.values.items() if value is not None}
    port = free_run(20_301, 1)[0]
    environment = os.environ | values | {"JALONS_OBSERVATION_PORT": str(port)}
    second.append(
        subprocess.Popen(
            [sys.executable, "-m", "jalons", "serve", "observation"], env=environment, stderr=subprocess.DEVNULL
        )
    )
    time.sleep(4)
