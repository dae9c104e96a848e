"""The outcome of one attempt is one of these four; each failure has a code of `causes`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Delivered:
    """The recipient's server accepted it."""


@dataclass(frozen=True, slots=True)
class Deferred:
    """A later attempt may succeed. after: seconds that the recipient asked to wait, if it did."""

    cause: str
    after: float | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """It cannot succeed; no attempt follows."""

    cause: str


@dataclass(frozen=True, slots=True)
class Gone:
    """The receiver wants no more calls; its subscription is disabled."""

    cause: str


Outcome = Delivered | Deferred | Refused | Gone
