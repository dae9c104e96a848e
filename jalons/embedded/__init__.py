"""Real servers for a machine that has none. All of them listen on 127.0.0.1 and write to one data folder only."""

from __future__ import annotations

LOOPBACK = "127.0.0.1"


class CannotStart(Exception):
    """The servers cannot run here. Its text is a cause and a cure for the person at the terminal."""

    def __init__(self, cause: str, cure: str) -> None:
        super().__init__(f"{cause} {cure}")
        self.cause = cause
        self.cure = cure
