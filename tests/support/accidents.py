"""Kills and stops processes of a hub, and waits until the supervisor has restarted them."""

from __future__ import annotations

import os
import signal
import time

from jalons.embedded.stack import Stack
from tests.support.network import eventually


def kill(victim: Stack, name: str) -> None:
    """kill -9, then wait until the process is restarted and ready."""
    pid = victim.pid_of(name)
    victim.kill(name, signal.SIGKILL)
    back(victim, name, pid)


def back(victim: Stack, name: str, pid: int) -> None:
    """Wait until the child that ran as `pid` is restarted and ready."""

    def restarted() -> bool:
        child = victim.children[name]
        return child.ready and child.alive and victim.pid_of(name) != pid

    eventually(restarted, 90)


def stop_a_while(victim: Stack, name: str, seconds: float) -> None:
    """SIGSTOP, then SIGCONT after `seconds`."""
    pid = victim.pid_of(name)
    os.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(pid, signal.SIGCONT)
