"""Shows progress on stderr, only for work that takes longer than two seconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_AFTER = 2.0
"""Seconds before the bar appears."""


class Bar:
    """A progress bar. The context manager yields a function that takes how many more items are done."""

    def __init__(self, doing: str, total: int) -> None:
        columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._progress.add_task("", total=total)
        self._shown = False

    def __enter__(self) -> Callable[[int], None]:
        return self._advance

    def __exit__(self, *_: Any) -> None:
        if self._shown:
            self._progress.stop()

    def _advance(self, number: int) -> None:
        self._progress.advance(self._task, number)
        if not self._shown and (self._progress.tasks[0].elapsed or 0) > _AFTER:
            self._shown = True
            self._progress.start()
