"""What a hub that does nothing takes: memory as the sum of PSS, processor as percent of one core."""

from __future__ import annotations

import time
from pathlib import Path

import psutil

from jalons.embedded.stack import Stack


def family(stack: Stack) -> list[psutil.Process]:
    """Every process of the hub's children, and theirs; PSS shares what they share."""
    found: dict[int, psutil.Process] = {}
    for name, child in stack.children.items():
        if child.alive:
            parent = psutil.Process(stack.pid_of(name))
            found |= {process.pid: process for process in (parent, *parent.children(recursive=True))}
    return list(found.values())


def measure(stack: Stack, seconds: float, settle: float) -> dict[str, float]:
    """`pss_mb` of all of it but the measuring process itself, freshly started; `cpu_percent` over so many seconds, once
    what starting stirs up has settled (the broker compiles its own code for a while)."""
    processes = family(stack)
    memory = sum(map(_pss, processes))
    time.sleep(settle)
    before = {process.pid: _spent(process) for process in processes}
    began = time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    spent = sum(_spent(process) - before[process.pid] for process in processes if process.is_running())
    return {"pss_mb": memory, "cpu_percent": 100 * spent / took}


def _spent(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _pss(process: psutil.Process) -> float:
    try:
        lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
