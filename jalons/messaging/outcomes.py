"""Every attempt to apply events ends as exactly one of Done, Retry or Park; every error means one of the last two."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from jalons.database import transient
from jalons.messaging.items import Unreadable
from jalons.messaging.progress import ClaimLost
from jalons.messaging.source_log import LogUnavailable
from jalons.privacy.keys import KeysUnavailable

_OURS = ("/services/", "/schemas/", "/jalons/")


@dataclass(frozen=True, slots=True)
class Done:
    """Every item is applied or kept, durably. applied: how many events this attempt applied."""

    applied: int = 0


@dataclass(frozen=True, slots=True)
class Retry:
    """A passing fault; take the batch again after that many seconds."""

    after: float
    why: str


@dataclass(frozen=True, slots=True)
class Park:
    """This event cannot be applied; its subject stops here."""

    why: str


def outcome_of(error: Exception) -> Retry | Park:
    """What an error means: an absent server or a lost race passes; anything else is the event's own."""
    if isinstance(error, ClaimLost):
        return Retry(0.02, "another worker was faster")
    if isinstance(error, KeysUnavailable):
        return Retry(0.5, "the keys could not be resolved")
    if isinstance(error, LogUnavailable):
        return Retry(1.0, str(error))
    if transient(error):
        return Retry(0.5, f"the database is away or busy ({type(error).__name__})")
    if isinstance(error, Unreadable):
        return Park(str(error))
    return Park(f"the handler failed: {where(error)}")


def where(error: BaseException) -> str:
    """The error's class and the innermost line of our code; never its message, which may hold personal data."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if any(part in f.filename for part in _OURS)]
    if not frames:
        return type(error).__name__
    last = frames[-1]
    start = max(last.filename.rfind(part) for part in _OURS)
    return f"{type(error).__name__} at {last.filename[start + 1 :]}:{last.lineno}"
