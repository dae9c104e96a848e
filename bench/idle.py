"""Memory and processor of a stack that nobody calls: every process that `jalons up` started, and itself."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from bench.figures import Figure
from bench.hub import Hub

_QUIET = 0.25


def measure(hubs: Mapping[str, Hub], seconds: float, warm_up: float) -> list[Figure]:
    """All hubs over the same seconds, `warm_up` after they started (the broker compiles its code for a while)."""
    time.sleep(warm_up)
    before = {name: cpu_seconds(hub) for name, hub in hubs.items()}
    began = time.monotonic()
    time.sleep(seconds)
    elapsed = time.monotonic() - began
    percents = {name: 100 * (cpu_seconds(hub) - before[name]) / elapsed for name, hub in hubs.items()}
    return [
        Figure("idle memory", "MB", {name: pss_mb(hub) for name, hub in hubs.items()}),
        Figure("idle processor", "% of a core", percents),
    ]


def wait_until_quiet(hubs: Collection[Hub], seconds: float = 60) -> None:
    """Return once all hubs have caught up with earlier calls: each uses under a quarter of a core for half a second.

    Returns after `seconds` in any case.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        before = [cpu_seconds(hub) for hub in hubs]
        time.sleep(0.5)
        if all(cpu_seconds(hub) - spent < _QUIET * 0.5 for hub, spent in zip(hubs, before, strict=True)):
            return


def cpu_seconds(hub: Hub) -> float:
    """Processor time used so far, including that of children that have ended (PostgreSQL starts some for a moment)."""
    spent = 0.0
    for process in hub.processes():
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            spent += times.user + times.system + times.children_user + times.children_system
    return spent


def pss_mb(hub: Hub) -> float:
    """Proportional set size: a page that processes share is divided among them."""
    kilobytes = 0
    for process in hub.processes():
        with suppress(OSError):  # it has ended
            lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
            kilobytes += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kilobytes / 1024
