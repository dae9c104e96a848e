"""What a hub that does nothing takes: memory as the sum of PSS, processor as percent of one core."""

from __future__ import annotations

import time
from contextlib import suppress
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
    memory = sum(map(_pss, family(stack)))
    time.sleep(settle)
    before = _spent(stack)
    began = time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    return {"pss_mb": memory, "cpu_percent": 100 * (_spent(stack) - before) / took}


def _spent(stack: Stack) -> float:
    """Seconds of processor until now, those of processes that have come and gone with them: PostgreSQL starts some for
    a moment, and one may end between two looks."""
    spent = 0.0
    for process in family(stack):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            spent += times.user + times.system + times.children_user + times.children_system
    return spent


def _pss(process: psutil.Process) -> float:
    try:
        lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
