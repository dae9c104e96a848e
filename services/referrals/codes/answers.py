"""What calls answer of the closed lists."""

from __future__ import annotations

from typing import NotRequired

from typing_extensions import TypedDict

from jalons.web.answers import Answers, Shown


class UnmetNeed(TypedDict):
    """Which unmet need a decline for this reason records: `of` an obstacle, or of what the offer is for."""

    of: str
    obstacle: NotRequired[str]


class Code(TypedDict):
    """A code. finer: the network's own."""

    code: str
    label: str
    parent: NotRequired[str | None]
    unmet_need: NotRequired[UnmetNeed]
    finer: NotRequired[bool]


class CodeLists(TypedDict):
    """Every closed list, by name."""

    version: int
    language: str
    lists: dict[str, list[Code]]


class FinerCodeWritten(Shown):
    """A finer code of the network's own."""

    list: str
    code: str
    parent: str
    label: str


ANSWERS: Answers = {
    ("GET", "/codes"): CodeLists,
    ("PUT", "/codes/{list}/{code}"): FinerCodeWritten,
}
