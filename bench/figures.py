"""A figure is this hub's value beside others measured in the same run; only what was taken in turns is comparable."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

T = TypeVar("T")

HUB, BEFORE, PEER = "hub", "before", "peer"


@dataclass(frozen=True)
class Figure:
    """One row of the table. values: HUB always; BEFORE, another checkout; PEER, the plain form of the same work."""

    name: str
    unit: str
    values: Mapping[str, float]

    @property
    def ratio(self) -> float | None:
        """This hub's value divided by the peer's; None without a peer."""
        peer = self.values.get(PEER)
        return self.values[HUB] / peer if peer else None

    def as_json(self) -> dict[str, str | float]:
        """Unit, values by name, and the ratio where there is one."""
        found: dict[str, str | float] = {"unit": self.unit, **self.values}
        return found if self.ratio is None else found | {"ratio": self.ratio}


def in_turns(runs: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Run all in turn (ABAB…), so that a busy moment of the machine meets each alike. The results by name, in order.

    One more round comes first and is not counted, unless a single one is asked for.
    """
    if rounds > 1:
        in_turns(runs, 1)
    results: dict[str, list[T]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            results[name].append(run())
    return results


def medians(rates: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """The median of each."""
    return {name: median(values) for name, values in rates.items()}


def percentile_ms(seconds: Sequence[float], share: float) -> float:
    """The value below which that share of the durations lies, in milliseconds."""
    return 1000 * sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * share))]


def table(figures: Sequence[Figure]) -> str:
    """The figures as text. The column "before" is there only if another checkout was measured."""
    with_before = any(BEFORE in figure.values for figure in figures)
    names = [HUB, *([BEFORE] if with_before else []), PEER]
    heads = {HUB: "this hub", BEFORE: "before", PEER: "peer"}
    titles = [f"{figure.name}, {figure.unit}" for figure in figures]
    width = max(map(len, titles))
    lines = [f"{'what':<{width}}" + "".join(f"{heads[name]:>11}" for name in names) + f"{'ratio':>9}"]
    for title, figure in zip(titles, figures, strict=True):
        cells = "".join(f"{_shown(figure.values.get(name), 1):>11}" for name in names)
        lines.append(f"{title:<{width}}{cells}{_shown(figure.ratio, 2):>9}")
    return "\n".join(lines)


def _shown(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"
