"""Persons' keys are resolved in batches and cached briefly; a destroyed key is GONE, a missing one is an error."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from enum import Enum


class Gone(Enum):
    """The value for a person whose key was destroyed."""

    GONE = "gone"


GONE = Gone.GONE
Key = bytes | Gone
Fetch = Callable[[Collection[str]], Mapping[str, Key]]


class KeysUnavailable(Exception):
    """Not every key could be resolved. Trying again is safe."""


NOBODY_KNOWS = "nobody knows this person's key: referrals may have been restored from before the event"
"""Why a sealed event whose person's key is neither known nor destroyed cannot be opened."""


class Keys:
    """Keys by subject, thread-safe. fetch: asks referrals; raises KeysUnavailable. most: entries in the cache.

    The cache is short-lived on purpose: an erased person cannot be read anywhere after `seconds`.
    """

    def __init__(self, fetch: Fetch, *, seconds: float = 300, most: int = 20_000) -> None:
        self._fetch = fetch
        self._seconds = seconds
        self._most = most
        self._cache: dict[str, tuple[float, Key]] = {}
        self._lock = threading.Lock()

    def of(self, subjects: Collection[str]) -> dict[str, Key]:
        """The key of every subject. Raises KeysUnavailable if one is neither returned nor named as gone."""
        known = self.known(subjects)
        if missing := set(subjects) - known.keys():
            raise KeysUnavailable(f"{len(missing)} of {len(set(subjects))} keys were not returned")
        return known

    def known(self, subjects: Collection[str]) -> dict[str, Key]:
        """The keys of the subjects that referrals knows. One that it does not know is left out, and asked for again
        each time. Raises KeysUnavailable if referrals did not answer."""
        if not subjects:
            return {}
        now = time.monotonic()
        with self._lock:
            known = {s: hit[1] for s in subjects if (hit := self._cache.get(s)) and hit[0] > now}
        if missing := set(subjects) - known.keys():
            known |= self._ask(missing, now)
        return known

    def asked_now(self, subjects: Collection[str]) -> dict[str, Key]:
        """As `known`, past the cache."""
        return self._ask(set(subjects), time.monotonic()) if subjects else {}

    def forget(self, subject: str) -> None:
        """Drop a subject from the cache, after its key was destroyed."""
        with self._lock:
            self._cache.pop(subject, None)

    def _ask(self, missing: set[str], now: float) -> dict[str, Key]:
        fetched = {s: key for s, key in self._fetch(missing).items() if s in missing}
        with self._lock:
            if len(self._cache) + len(fetched) > self._most:
                self._cache.clear()
            self._cache |= {s: (now + self._seconds, key) for s, key in fetched.items()}
        return fetched
