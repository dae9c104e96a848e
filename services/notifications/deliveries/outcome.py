"""What became of one attempt; exactly these four, and each failure has a code of `causes`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Delivered:
    """The recipient's server took it."""


@dataclass(frozen=True, slots=True)
class Deferred:
    """Not now; another attempt may succeed. after: seconds the recipient asked to be left alone, if it did."""

    cause: str
    after: float | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Never, as things stand; no attempt follows."""

    cause: str


@dataclass(frozen=True, slots=True)
class Gone:
    """The receiver says this address is no more: its subscription is disabled."""

    cause: str


Outcome = Delivered | Deferred | Refused | Gone
