"""Whoever tries codes is soon told to wait, before it is looked whether the next would have been right."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

from fastapi import Request

_MOST_KNOWN = 10_000


class Tries:
    """At most so many tries a while from one place, counted in this process alone: n processes let n times as many
    through, which 100 bits of a code leave hopeless still. Who was counted longest ago is forgotten first."""

    def __init__(self, most: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._made: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def spent(self, whose: str) -> bool:
        """Whether there have been too many already."""
        with self._lock:
            made = self._made.get(whose)
            while made and made[0] <= self._clock() - self._seconds:
                made.popleft()
            return made is not None and len(made) >= self._most

    def count(self, whose: str) -> None:
        """One more."""
        with self._lock:
            self._made.setdefault(whose, deque(maxlen=self._most)).append(self._clock())
            self._made.move_to_end(whose)
            if len(self._made) > _MOST_KNOWN:
                self._made.popitem(last=False)


def caller_address(request: Request) -> str:
    """Where a call comes from: what the proxy before us says last, else the connection's own address."""
    forwarded = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    return forwarded[:60] or (request.client.host if request.client else "unknown")
