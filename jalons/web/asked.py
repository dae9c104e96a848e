"""What one request asks for beside its own matter: the language of its answer, and notes on what was read otherwise."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, get_args

from schemas.codes import Language

DEFAULT = "en"
"""The language of an answer to whom asks for none that the hub has."""
LANGUAGES = get_args(Language)


@dataclass(slots=True)
class Asked:
    """language: of sentences in the answer. notes: what the answer says of values that were replaced."""

    language: str = DEFAULT
    notes: list[dict[str, Any]] = field(default_factory=list)


_ASKED: ContextVar[Asked | None] = ContextVar("asked", default=None)


def begin(accept_language: str) -> Asked:
    """Begin a request with this header Accept-Language."""
    asked = Asked(preferred(accept_language) or DEFAULT)
    _ASKED.set(asked)
    return asked


def language() -> str:
    """The language of the current request; DEFAULT outside of one."""
    asked = _ASKED.get()
    return asked.language if asked else DEFAULT


def note(**said: Any) -> None:
    """Add a note to the answer of the current request, once; outside of one it is lost."""
    asked = _ASKED.get()
    if asked is not None and said not in asked.notes:
        asked.notes.append(said)


def notes() -> list[dict[str, Any]]:
    """The notes of the current request."""
    asked = _ASKED.get()
    return list(asked.notes) if asked else []


def preferred(accept_language: str) -> str | None:
    """The language that a header Accept-Language prefers among the hub's (RFC 9110, 12.5.4); None if it names none."""
    weighted: list[tuple[float, int, str]] = []
    for at, part in enumerate(accept_language[:500].split(",")):
        tag, *parameters = (each.strip() for each in part.split(";"))
        weight = _weight(parameters)
        name = tag.split("-")[0].lower()
        if name in LANGUAGES and weight > 0:
            weighted.append((-weight, at, name))
    return min(weighted)[2] if weighted else None


def _weight(parameters: list[str]) -> float:
    """The `q` of a language: 1 without one, 0 for one that cannot be read."""
    for each in parameters:
        name, _, value = each.partition("=")
        if name.strip().lower() == "q":
            try:
                return min(float(value), 1.0)
            except ValueError:
                return 0.0
    return 1.0
