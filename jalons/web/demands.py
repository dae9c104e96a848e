"""What a route asks of its caller, said beside the dependency that enforces it, for the documents to repeat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

_NAME = "__jalons_demand__"
Dependency = TypeVar("Dependency", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Demand:
    """scopes: one of them is needed, if there are any. key: whether an idempotency key must be sent (True), may be
    (False), or says nothing here (None). actor: whether the audit keeps who sits at the caller's."""

    scopes: tuple[str, ...] = ()
    key: bool | None = None
    actor: bool = False


def demanding(dependency: Dependency, demand: Demand) -> Dependency:
    """The same dependency, with what it demands on it."""
    setattr(dependency, _NAME, demand)
    return dependency


def demand_of(dependency: object) -> Demand | None:
    """What a dependency demands; None if it is not one that knows callers."""
    found: Demand | None = getattr(dependency, _NAME, None)
    return found
