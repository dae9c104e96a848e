"""Referrals accepted a second at four connections, and how long a caller waits, beside a plain application.

The plain one (`plain.py`) uses the PostgreSQL server of this hub. A hub goes on with everything that follows from its
referrals (relay, projection, mails) while it accepts more: that is part of what is measured.
"""

from __future__ import annotations

import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path

from bench.calls import Connection, Load, flood
from bench.figures import HUB, PEER, Figure, in_turns, medians, percentile_ms
from bench.hub import ROOT, Hub
from bench.idle import wait_until_quiet
from bench.plain import TOKEN
from jalons.embedded.process import spawn

CONNECTIONS = 4


def measure(
    hubs: Mapping[str, Hub], bodies: Mapping[str, Sequence[bytes]], folder: Path, seconds: float, rounds: int
) -> list[Figure]:
    """Medians of the rounds' rates, and percentiles of all calls' durations."""
    with _plain(hubs[HUB].info["database"], folder / "plain.log") as url:

        def run(connect: Callable[[], Connection], calls: Sequence[bytes]) -> Load:
            wait_until_quiet(hubs.values())
            with ExitStack() as stack:
                opened = [stack.enter_context(closing(connect())) for _ in range(CONNECTIONS)]
                return flood(opened, calls, seconds)

        runs = {name: partial(run, hub.connect, bodies[name]) for name, hub in hubs.items()}
        loads = in_turns(runs | {PEER: partial(run, partial(Connection, url, TOKEN), bodies[HUB])}, rounds)
    durations = {name: [each for load in found for each in load.durations] for name, found in loads.items()}
    rates = medians({name: [load.per_second for load in found] for name, found in loads.items()})
    return [
        Figure("intake rate", "calls/s", rates),
        *(
            Figure(
                f"intake p{share}", "ms", {name: percentile_ms(each, share / 100) for name, each in durations.items()}
            )
            for share in (50, 95)
        ),
    ]


@contextmanager
def _plain(database: str, log: Path) -> Iterator[str]:
    """The plain application in a process of its own; its URL."""
    port = _free_port()
    url = database.replace("postgresql://", "postgresql+psycopg://", 1)
    process = spawn([sys.executable, "-m", "bench.plain", url, str(port)], log=log, cwd=ROOT)
    try:
        _wait_for(port, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, log: Path, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > until:
                raise RuntimeError(f"the plain application did not start:\n{log.read_text()[-2000:]}") from None
            time.sleep(0.1)
        else:
            return
