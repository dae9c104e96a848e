"""Attaches to a dependency what it requires of the caller, so that the OpenAPI document states what is enforced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

_NAME = "__jalons_demand__"
Dependency = TypeVar("Dependency", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Demand:
    """What a dependency requires.

    scopes: at least one of them is needed; empty: none. key: `Idempotency-Key` is required (True), optional (False) or
    ignored (None). actor: `Jalons-Actor` is recorded in the audit log.
    """

    scopes: tuple[str, ...] = ()
    key: bool | None = None
    actor: bool = False


def demanding(dependency: Dependency, demand: Demand) -> Dependency:
    """Attach a Demand to a dependency; returns the dependency."""
    setattr(dependency, _NAME, demand)
    return dependency


def demand_of(dependency: object) -> Demand | None:
    """The Demand attached to a dependency; None if there is none."""
    found: Demand | None = getattr(dependency, _NAME, None)
    return found
