"""`make bench`: the hub beside plain forms of the same work, in turns, as one table. No figure fails it."""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench import delay, idle, intake, projection, relay
from bench.figures import BEFORE, HUB, Figure, table
from bench.hub import ROOT, Hub
from jalons.embedded.stack import Servers


@dataclass(frozen=True)
class Extent:
    """How much is measured; times are seconds."""

    rounds: int
    idle_warm_up: float
    idle_seconds: float
    persons: int
    intake_seconds: float
    delay_seconds: float
    projected_persons: int
    relayed_events: int


FULL = Extent(5, 30, 60, 1000, 10, 15, 300, 20_000)
SHORT = Extent(1, 0, 2, 20, 1, 1, 20, 1_000)


def main() -> None:
    """Print the table, or with --json one object: name → {unit, hub, before, peer, ratio}, those that there are."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--short", action="store_true", help="about a minute: shows that it works, not how fast")
    parser.add_argument("--json", action="store_true", help="one object instead of the table")
    parser.add_argument("--beside", type=Path, metavar="DIR", help="another checkout, prepared by `make setup` there")
    chosen = parser.parse_args()
    checkouts = {HUB: ROOT} | ({BEFORE: chosen.beside.resolve()} if chosen.beside else {})
    _say(f"{platform.machine()}, {psutil.cpu_count()} cores, Python {platform.python_version()}")
    figures = _measure(checkouts, SHORT if chosen.short else FULL)
    if chosen.json:
        print(json.dumps({figure.name: figure.as_json() for figure in figures}))
    else:
        print(table(figures))


def _measure(checkouts: dict[str, Path], extent: Extent) -> list[Figure]:
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="jalons-bench-") as made:
        folder = Path(made)
        with ExitStack() as stack:
            _say("starting the hub")
            hubs = {name: stack.enter_context(Hub(path, folder / name)) for name, path in checkouts.items()}
            _say("idle")
            figures += idle.measure(hubs, extent.idle_seconds, extent.idle_warm_up)
            _say("registering persons")
            bodies = {name: hub.referrals(extent.persons) for name, hub in hubs.items()}
            _say("delay")
            figures += delay.measure(hubs, bodies, extent.delay_seconds, extent.rounds)
            _say("intake")
            figures += intake.measure(hubs, bodies, folder, extent.intake_seconds, extent.rounds)
        with Servers(folder / "servers") as servers:
            _say("projection")
            figures += projection.measure(servers, extent.projected_persons, extent.rounds)
            _say("relay")
            figures += relay.measure(servers, extent.relayed_events, extent.rounds)
    return figures


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
