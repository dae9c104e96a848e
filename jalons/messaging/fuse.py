"""A partition most of whose events cannot be applied is paused, instead of filling the dead letters."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field

CONSECUTIVE = 200
WINDOW = 1_000

Partition = tuple[str, int]


@dataclass(slots=True)
class _State:
    run: int = 0
    recent: deque[bool] = field(default_factory=lambda: deque(maxlen=WINDOW))
    bad: int = 0


class Fuse:
    """Trips for a partition at 200 bad records in a row or 500 of the last 1 000; stays so until the process ends."""

    def __init__(self) -> None:
        self._states: dict[Partition, _State] = defaultdict(_State)
        self.tripped: set[Partition] = set()

    def note(self, partition: Partition, *, bad: bool) -> bool:
        """Count one record. bad: it was set aside or parked. Returns True when the partition's fuse trips by it."""
        state = self._states[partition]
        state.run = state.run + 1 if bad else 0
        if len(state.recent) == WINDOW:
            state.bad -= state.recent[0]
        state.recent.append(bad)
        state.bad += bad
        if partition in self.tripped:
            return False
        if state.run >= CONSECUTIVE or (len(state.recent) == WINDOW and 2 * state.bad >= WINDOW):
            self.tripped.add(partition)
            return True
        return False
