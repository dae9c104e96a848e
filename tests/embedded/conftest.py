"""Real servers on folders of their own; what several stories may share is started once per module."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # fakes: here, and by PYTHONPATH in the processes started from here


@pytest.fixture(autouse=True)
def _own_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    for name in [name for name in os.environ if name.startswith("JALONS_")]:
        monkeypatch.delenv(name)


def eventually(holds: Callable[[], object], seconds: float = 20) -> None:
    """Wait until it holds, or fail."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


class Up:
    """`jalons up` with the fake services, as a process of its own."""

    def __init__(self, data: Path, *options: str) -> None:
        command = [sys.executable, str(HERE / "fakes.py"), "--data", str(data), *options]
        self.data = data
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)

    def wait_ready(self) -> None:
        """Until hub.json is written."""
        eventually(lambda: (self.data / "hub.json").exists() or self.process.poll() is not None, 60)
        assert self.process.poll() is None, self.said()

    def said(self) -> str:
        """All that it wrote, once it has ended."""
        return self.process.communicate(timeout=20)[1]


@pytest.fixture
def up() -> Iterator[Callable[..., Up]]:
    started: list[Up] = []

    def start(data: Path, *options: str) -> Up:
        started.append(Up(data, *options))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.terminate()
            one.process.communicate(timeout=20)
