"""How soon an accepted referral is seen: from the answer in the caller's hand to the event in the stream (SSE)."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import chain

from bench.calls import Connection, pace
from bench.figures import Figure, in_turns, percentile_ms
from bench.hub import COORDINATOR, Hub
from bench.idle import wait_until_quiet
from jalons.client import Client

PER_SECOND = 25


def measure(
    hubs: Mapping[str, Hub], bodies: Mapping[str, Sequence[bytes]], seconds: float, rounds: int
) -> list[Figure]:
    """Percentiles of all rounds' delays at a steady 25 calls a second."""

    def run(name: str) -> list[float]:
        wait_until_quiet(hubs.values())
        return _delays(hubs[name], bodies[name], seconds)

    found = in_turns({name: partial(run, name) for name in hubs}, rounds)
    delays = {name: list(chain(*each)) for name, each in found.items()}
    return [
        Figure(
            f"delay p{share}",
            "ms",
            {name: percentile_ms(each, share / 100) for name, each in delays.items()},
        )
        for share in (50, 99)
    ]


def _delays(hub: Hub, bodies: Sequence[bytes], seconds: float) -> list[float]:
    """Seconds from accepted to seen, one entry per call. Raises RuntimeError if a call is not seen within 20 s."""
    seen: dict[str, float] = {}
    done = threading.Event()
    connections = [hub.connect() for _ in range(2)]
    with hub.client(COORDINATOR, ["coordinator"]) as coordinator:
        watcher = threading.Thread(target=_watch, args=(coordinator, seen, done), daemon=True)
        watcher.start()
        _wait_for_stream(connections[0], bodies[0], seen)
        accepted = pace(connections, bodies, seconds, PER_SECOND)
        until = time.monotonic() + 20
        while (missing := accepted.keys() - seen.keys()) and time.monotonic() < until:
            time.sleep(0.05)
        done.set()
        connections[0].post("/referrals", bodies[0])  # the watcher ends with the next event
        watcher.join(20)
    for connection in connections:
        connection.close()
    if missing:
        raise RuntimeError(f"{len(missing)} of {len(accepted)} accepted referrals were not seen in the stream")
    return [max(0.0, seen[reference] - at) for reference, at in accepted.items()]


def _watch(coordinator: Client, seen: dict[str, float], done: threading.Event) -> None:
    """Note the time at which each referral's reference arrives on the stream."""
    for event in coordinator.stream(types=["referral.sent"]):
        seen[event["data"]["reference"]] = time.monotonic()
        if done.is_set():
            return


def _wait_for_stream(connection: Connection, body: bytes, seen: dict[str, float]) -> None:
    """Return once the stream shows something: it starts with the present, so an earlier referral is never seen."""
    until = time.monotonic() + 30
    while not seen:
        if time.monotonic() > until:
            raise RuntimeError("the coordinator's stream does not show what is accepted")
        connection.post("/referrals", body)
        time.sleep(0.5)
