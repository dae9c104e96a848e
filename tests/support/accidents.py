"""Accidents, and waiting until the supervisor has mended them."""

from __future__ import annotations

import os
import signal
import time

from jalons.embedded.stack import Stack
from tests.support.network import eventually


def kill(victim: Stack, name: str) -> None:
    """kill -9, then wait until it is started anew and answers."""
    pid = victim.pid_of(name)
    victim.kill(name, signal.SIGKILL)
    back(victim, name, pid)


def back(victim: Stack, name: str, pid: int) -> None:
    """Until a child that ran as `pid` runs anew and is ready."""

    def anew() -> bool:
        child = victim.children[name]
        return child.ready and child.alive and victim.pid_of(name) != pid

    eventually(anew, 90)


def stop_a_while(victim: Stack, name: str, seconds: float) -> None:
    """SIGSTOP, and SIGCONT after so long."""
    pid = victim.pid_of(name)
    os.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(pid, signal.SIGCONT)
