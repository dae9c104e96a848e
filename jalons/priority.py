"""What a process leaves to the others on a busy machine."""

from __future__ import annotations

import os
import time
from pathlib import Path

_GROUP = Path("/proc/self/autogroup")
_TRIES, _PAUSE_SECONDS = 10, 0.15


def give_way(nice: int) -> None:
    """Yield to the others by so much, 0 to 19.

    Linux may weigh the processes of each session against those of the others (`sched_autogroup_enabled`), and niceness
    then counts within a session only. Where the session is this process' own, it yields as a whole.
    """
    if nice == 0:
        return
    os.nice(nice)
    if os.getsid(0) != os.getpid():
        return
    for _ in range(_TRIES):
        try:
            _GROUP.write_text(str(nice))
        except BlockingIOError:  # without rights, ten are allowed a second, for all processes together
            time.sleep(_PAUSE_SECONDS)
        except OSError:  # no such file, /proc for reading only, a session that has no group: nothing to weigh
            return
        else:
            return
