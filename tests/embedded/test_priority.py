"""A process that gives way, seen from outside: alone in its session, and beside others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SAY = """
import json, os
from jalons.priority import give_way
give_way({nice})
group = open("/proc/self/autogroup").read().split()[-1] if os.path.exists("/proc/self/autogroup") else None
print(json.dumps([os.nice(0), group]))
"""
GROUPS = Path("/proc/self/autogroup").exists()


def said(nice: int, *, session: bool) -> list[object]:
    done = subprocess.run(
        [sys.executable, "-c", SAY.format(nice=nice)],
        check=True,
        capture_output=True,
        text=True,
        start_new_session=session,
    )
    return list(json.loads(done.stdout))


@pytest.mark.parametrize("nice", [7, 19])
def test_a_process_alone_in_its_session_gives_way_with_it(nice: int) -> None:
    assert said(nice, session=True) == [min(19, os.nice(0) + nice), str(nice) if GROUPS else None]


def test_a_process_started_from_a_terminal_leaves_the_others_of_its_session_alone() -> None:
    before = Path("/proc/self/autogroup").read_text().split()[-1] if GROUPS else None
    assert said(5, session=False) == [min(19, os.nice(0) + 5), before]


def test_who_gives_way_by_nothing_stays_as_it_is() -> None:
    assert said(0, session=True)[0] == os.nice(0)
