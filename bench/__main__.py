"""`make bench`: the four figures, each beside what is asked of it. `--short` shows that it runs, not how fast."""

from __future__ import annotations

import argparse
import contextlib
import json
import platform
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import psutil

from bench import idle, intake, relay
from jalons.cli.demo.story import Story
from jalons.embedded.stack import Servers, Stack

ASKED = {
    ("idle", "pss_mb"): ("≤", 900),
    ("idle", "cpu_percent"): ("≤", 4),
    ("delay", "p50_ms"): ("≤", 25),
    ("delay", "p99_ms"): ("≤", 100),
    ("relay", "events_per_second"): ("≥", 10_000),
    ("intake", "calls_per_second"): ("≥", 200),
}


def main() -> int:
    """0 if every figure is as asked, 1 with the table otherwise; `--short` is always 0."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--short", action="store_true", help="seconds instead of minutes: does it run?")
    parser.add_argument("--json", action="store_true", help="one object instead of the table")
    chosen = parser.parse_args()
    _say(f"{platform.machine()}, {psutil.cpu_count()} cores, Python {platform.python_version()}")
    found = _measured(short=chosen.short)
    if chosen.json:
        print(json.dumps(found))
    else:
        _table(found)
    missed = [key for key, (sign, asked) in ASKED.items() if not _met(found[key[0]][key[1]], sign, asked)]
    return 0 if chosen.short or not missed else 1


def _measured(*, short: bool) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="jalons-bench-") as folder:
        with Stack(Path(folder) / "hub", port_base=21_001) as stack:
            _say("idle …")
            found["idle"] = idle.measure(stack, *((2, 0) if short else (60, 30)))
            with contextlib.closing(Story(stack.info, lambda *_: None, date.today())) as story:  # noqa: DTZ011
                story.load()
                _say("registering persons …")
                bodies = intake.known(story, 20 if short else intake.PERSONS)
                _say("from accepted to visible, 50 calls a second …")
                found["delay"] = intake.delay(story, bodies, 1 if short else 20)
                _say("intake, 4 connections …")
                intake.rate(story, bodies, 1 if short else 3)
                found["intake"] = intake.rate(story, bodies, 1 if short else 15)
        with Servers(Path(folder) / "servers") as servers:
            _say("the relay alone …")
            found["relay"] = relay.measure(servers, 1_000 if short else 40_000, 1 if short else 3)
    return found


def _table(found: dict[str, dict[str, float]]) -> None:
    for what, figures in found.items():
        for name, value in figures.items():
            sign, asked = ASKED.get((what, name), ("", None))
            verdict = "" if asked is None else f"{sign} {asked:<8} {'yes' if _met(value, sign, asked) else 'NO'}"
            print(f"{what:<8} {name:<20} {value:>10.1f}   {verdict}")


def _met(value: float, sign: str, asked: Any) -> bool:
    return bool(value <= asked if sign == "≤" else value >= asked)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


sys.exit(main())
