"""A caller that makes too many attempts must wait, whether or not the next one would have been right."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

_MOST_KNOWN = 10_000


class RateLimit:
    """A limit on the attempts of each caller within a sliding window.

    Attempts are counted in this process only: n processes allow n times as many, which is still hopeless against a code
    of 100 bits. At most 10 000 callers are remembered; the one that attempted longest ago is forgotten first.
    """

    def __init__(self, most: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._made: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def spent(self, caller: str) -> bool:
        """Whether a caller has no attempt left."""
        with self._lock:
            made = self._made.get(caller)
            while made and made[0] <= self._clock() - self._seconds:
                made.popleft()
            return made is not None and len(made) >= self._most

    def count(self, caller: str) -> None:
        """Count an attempt."""
        with self._lock:
            self._made.setdefault(caller, deque(maxlen=self._most)).append(self._clock())
            self._made.move_to_end(caller)
            if len(self._made) > _MOST_KNOWN:
                self._made.popitem(last=False)
