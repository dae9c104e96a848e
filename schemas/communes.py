"""Belgium's communes by NIS code, with the mergers of 2019, 2024 and 2025; a code that is none is refused.

Source: Statbel (Directorate-general Statistics, Statistics Belgium), REFNIS and the table of mergers, CC BY 4.0; names
in French. `communes.csv`: `until` and `now` are empty for a commune of today; for a merged one, the first day on which
its code was no longer valid, and the code of the commune it is part of.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple


class Commune(NamedTuple):
    """A commune. until: the day its code ceased; now: the NIS code of the commune it is part of since then."""

    name: str
    until: str
    now: str


@cache
def communes() -> Mapping[str, Commune]:
    """Every commune of today and every merged one, by NIS code."""
    lines = files("schemas").joinpath("communes.csv").read_text("utf-8").splitlines()
    return {row["nis"]: Commune(row["name"], row["until"], row["now"]) for row in csv.DictReader(lines, delimiter=";")}


def name_of(nis: str) -> str:
    """The name of a commune; the code itself if there is none of this code."""
    return communes()[nis].name if nis in communes() else nis
