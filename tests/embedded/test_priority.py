"""A process that gives way, seen from outside: alone in its session, and beside others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

GROUP = Path("/proc/self/autogroup")
SAY = """
import json, os, pathlib
from jalons import priority
priority._GROUP = pathlib.Path("{group}")
priority.give_way({nice})
print(json.dumps([os.nice(0), pathlib.Path("/proc/self/autogroup").read_text() if {groups} else ""]))
"""


def weight(group: str) -> str | None:
    """The last word of what the kernel says of a session: nothing of one that is in no group, as the very first is."""
    return group.rsplit(maxsplit=1)[-1] if group else None


def said(nice: int, *, session: bool, group: Path = GROUP) -> tuple[int, str | None]:
    done = subprocess.run(
        [sys.executable, "-c", SAY.format(nice=nice, group=group, groups=GROUP.exists())],
        check=True,
        capture_output=True,
        text=True,
        start_new_session=session,
    )
    niceness, of_session = json.loads(done.stdout)
    return niceness, weight(of_session)


@pytest.mark.parametrize("nice", [7, 19])
def test_a_process_alone_in_its_session_gives_way_with_it(nice: int) -> None:
    assert said(nice, session=True) == (min(19, os.nice(0) + nice), str(nice) if GROUP.exists() else None)


def test_a_process_started_from_a_terminal_leaves_the_others_of_its_session_alone() -> None:
    before = weight(GROUP.read_text()) if GROUP.exists() else None
    assert said(5, session=False) == (min(19, os.nice(0) + 5), before)


@pytest.mark.parametrize("group", ["/proc/self/no-such-file", "/proc/version", "/dev/full"])
def test_where_sessions_cannot_be_weighed_it_gives_way_all_the_same(group: str) -> None:
    assert said(7, session=True, group=Path(group))[0] == min(19, os.nice(0) + 7)


def test_who_gives_way_by_nothing_stays_as_it_is() -> None:
    assert said(0, session=True)[0] == os.nice(0)
