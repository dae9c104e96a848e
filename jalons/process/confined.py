"""Foreign bytes are read in a process of its own, with bounds on memory and time; this one goes on.

The reading module is started by its name: it calls `confine`, reads standard input, and writes what it found to
standard output. It gets none of this process's settings, so it holds no secret.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from contextlib import suppress

MOST_MEMORY = 512 * 1024 * 1024
"""Bytes of address space; Python and its libraries take some 60 MB of it."""
MOST_CPU_SECONDS = 20
MOST_SECONDS = 60.0
"""The clock's time, which a busy machine makes longer than the processor's."""
MOST_WAITING_SECONDS = 120.0
_KEPT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TMPDIR")


class Died(Exception):
    """The reading process was ended by a bound on its memory or its time, or failed."""


class Crowded(Exception):
    """Other bytes are still being read; these have waited for MOST_WAITING_SECONDS."""


def confine() -> None:
    """Bound this process. Called by the reading process before it reads its first byte."""
    for bound, most in (
        (resource.RLIMIT_AS, MOST_MEMORY),
        (resource.RLIMIT_CPU, MOST_CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(ValueError, OSError):  # a lower bound is in force already, or the system knows none of the kind
            resource.setrlimit(bound, (most, most))


class Reader:
    """Runs a reading module, one process at a time: a second one would take the processor from everybody's calls."""

    def __init__(self, module: str, seconds: float = MOST_SECONDS) -> None:
        self._module = module
        self._seconds = seconds
        self._turn = asyncio.Lock()

    async def read(self, given: bytes) -> bytes:
        """What the module wrote for these bytes. Raises Died and Crowded."""
        try:
            await asyncio.wait_for(self._turn.acquire(), MOST_WAITING_SECONDS)
        except TimeoutError:
            raise Crowded from None
        try:
            return await self._run(given)
        finally:
            self._turn.release()

    async def _run(self, given: bytes) -> bytes:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", self._module),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={name: os.environ[name] for name in _KEPT if name in os.environ},
        )
        try:
            found, _ = await asyncio.wait_for(process.communicate(given), self._seconds)
        except TimeoutError:
            raise Died from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode:
            raise Died
        return found
