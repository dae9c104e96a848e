"""Kills, stops beyond the session timeout and rebalances, in random order, lose, duplicate and reorder no event."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import httpx
import pytest

from jalons.embedded.folder import free_run
from jalons.embedded.stack import Stack
from tests.support.accidents import kill, stop_a_while
from tests.support.network import Network, eventually
from tests.support.stream import Stream, check

pytestmark = pytest.mark.timeout(900)


def test_a_storm_of_failures_loses_duplicates_and_reorders_no_event(
    victim: Stack, partners: Network, request: pytest.FixtureRequest
) -> None:
    seconds = request.config.getoption("--storm-seconds")
    dice = random.Random(6940)
    second = SecondWorker(victim)
    failures: list[Callable[[], None]] = [  # each one asserts that it took effect
        lambda: kill(victim, "observation"),
        lambda: stop_a_while(victim, "observation", 12),
        second.toggle,
        lambda: kill(victim, "referrals"),
        lambda: kill(victim, "kafka"),
    ]
    with Stream(partners, callers=2) as stream:
        stream.wait_for(5)
        until = time.monotonic() + seconds
        for fail in failures[:3]:  # each at least once, even in a short storm
            fail()
            stream.wait_for(1, 90)
        while time.monotonic() < until:
            dice.choice(failures)()
            time.sleep(dice.uniform(0.5, 3))
        second.leave()
        stream.wait_for(5, 90)
    check(partners, stream, victim.secrets, seconds=120)


class SecondWorker:
    """A second worker of observation, whose joining and leaving causes rebalances."""

    def __init__(self, victim: Stack) -> None:
        self._victim = victim
        self._process: subprocess.Popen[bytes] | None = None

    def toggle(self) -> None:
        """Start the worker and wait until it applies events; kill it if it runs."""
        if self._process:
            self.leave()
        else:
            self._join()

    def leave(self) -> None:
        """Kill the worker, if it runs."""
        if self._process:
            assert self._process.poll() is None, "the second worker ended by itself"
            self._process.kill()
            assert self._process.wait() == -signal.SIGKILL
            self._process = None

    def _join(self) -> None:
        values = {f"JALONS_{n.upper()}": str(value) for n, value in self._victim.values.items() if value is not None}
        port = free_run(20_301, 1)[0]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "jalons", "serve", "observation"],
            env=os.environ | values | {"JALONS_OBSERVATION_PORT": str(port)},
            stderr=subprocess.DEVNULL,
        )
        eventually(lambda: _applied(port) > 0, 60)


def _applied(port: int) -> float:
    """Number of records that the worker at a port has applied; 0 while it does not answer."""
    try:
        lines = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text.splitlines()
    except httpx.HTTPError:
        return 0
    found = [line for line in lines if line.startswith("jalons_events_delivered_total") and 'outcome="applied"' in line]
    return sum(float(line.rsplit(" ", 1)[1]) for line in found)
