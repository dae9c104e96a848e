"""A part is tried again after an error, reported when it fails or falls silent, and ends the process when lost."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from jalons.process import parts
from jalons.process.parts import (
    GIVE_UP_SECONDS,
    SILENT_SECONDS,
    CannotGoOn,
    Condition,
    Heartbeat,
    Part,
    Parts,
    repeated,
)
from tests.support.network import eventually


class Away(Exception):
    """A dependency of a part is away."""


class Process:
    """A process whose time passes when the story says so. ended: the exit codes of its ends."""

    def __init__(self) -> None:
        self.at = 0.0
        self.ended: list[int] = []
        self.parts = Parts("tests", self.ended.append, lambda: self.at)

    def starts(self, *them: Part) -> None:
        self.parts.add(*them)
        self.parts.start()

    def degraded_after(self, seconds: float) -> dict[str, str]:
        """What is degraded when that much time has passed."""
        self.at += seconds
        return self.parts.degraded()


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Iterator[Process]:
    monkeypatch.setattr(parts, "CHECK_SECONDS", 0.02)
    monkeypatch.setattr(parts, "_BACKOFF_MOST", 0.02)
    monkeypatch.setattr(parts, "_BACKOFF_LEAST", 0.01)
    running = Process()
    yield running
    running.parts.stop()


def failing(error: Callable[[], Exception], tries: list[int]) -> Callable[[Heartbeat], None]:
    """A part that always fails. tries: grows by one each time."""

    def run(_pulse: Heartbeat) -> None:
        tries.append(1)
        raise error()

    return run


def test_a_part_that_raises_what_nobody_foresaw_is_tried_again_and_gets_on(process: Process) -> None:
    rounds: list[int] = []

    def once() -> float:
        rounds.append(len(rounds))
        if len(rounds) in (2, 3):
            raise ValueError("a row nobody expected")
        return 0.0 if len(rounds) < 6 else 1000.0

    process.starts(Part("imports", repeated(once)))
    eventually(lambda: len(rounds) == 6)
    assert process.degraded_after(SILENT_SECONDS - 1) == {}
    assert process.ended == []


def test_an_error_is_logged_by_type_and_place_without_its_text(
    process: Process, caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[int] = []
    with caplog.at_level(logging.WARNING):
        process.starts(Part("imports", failing(lambda: ValueError("85.07.30-033.28"), tries)))
        eventually(lambda: len(tries) > 3)
    said = [record.getMessage() for record in caplog.records if record.name == "jalons.process.parts"]
    assert len(said) == 1, "once, however often it fails in a row"
    assert "ValueError at " in said[0]
    assert "85.07" not in caplog.text


def test_a_part_that_keeps_failing_is_degraded_and_at_last_ends_the_process(process: Process) -> None:
    tries: list[int] = []
    process.starts(Part("stalls", failing(lambda: ValueError("unforeseen"), tries)))
    eventually(lambda: len(tries) > 2)
    assert process.degraded_after(SILENT_SECONDS - 1) == {}
    assert "ValueError" in process.degraded_after(1)["stalls"]
    assert process.ended == []
    process.at += GIVE_UP_SECONDS
    eventually(lambda: process.ended)
    assert process.ended[0] != 0


def test_a_dependency_that_is_away_degrades_a_part_and_never_ends_the_process(process: Process) -> None:
    tries: list[int] = []
    process.starts(Part("relay", failing(lambda: Away("for days"), tries), passing=(Away,)))
    eventually(lambda: len(tries) > 2)
    assert "Away" in process.degraded_after(SILENT_SECONDS)["relay"]
    process.at += 2 * GIVE_UP_SECONDS
    before = len(tries)
    eventually(lambda: len(tries) > before + 5)
    assert process.ended == []


def test_a_part_that_hangs_silently_is_degraded_and_at_last_ends_the_process(process: Process) -> None:
    process.starts(Part("clock", lambda heartbeat: heartbeat.stopping.wait() and None))
    eventually(lambda: "monitor" in process.parts._heartbeats)
    assert process.degraded_after(SILENT_SECONDS - 1).keys() - {"monitor"} == set()
    assert "has not reported" in process.degraded_after(1)["clock"]
    process.at += GIVE_UP_SECONDS
    eventually(lambda: process.ended)


def test_a_part_whose_silence_has_a_known_cause_does_not_end_the_process(process: Process) -> None:
    process.starts(Part("reconciler", lambda heartbeat: heartbeat.stopping.wait() and None, excused=lambda: True))
    process.at += 2 * GIVE_UP_SECONDS
    assert "reconciler" in process.parts.degraded()
    eventually(lambda: process.parts._reported)
    assert process.ended == []


def test_a_part_that_sleeps_for_an_hour_is_not_silent(process: Process) -> None:
    asleep = threading.Event()

    def once() -> float:
        asleep.set()
        return 3600.0

    process.starts(Part("stalls", repeated(once)))
    assert asleep.wait(5)
    eventually(lambda: process.parts._heartbeats["stalls"]._expected >= 3600)
    assert "stalls" not in process.degraded_after(3600)


@pytest.mark.parametrize("error", [CannotGoOn("the lock is taken", 78), SystemExit(78), KeyboardInterrupt()])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_part_that_cannot_go_on_ends_the_process(process: Process, error: BaseException) -> None:
    def run(_pulse: Heartbeat) -> None:
        raise error

    process.starts(Part("instance lock", run))
    eventually(lambda: process.ended)
    assert process.ended == [78 if isinstance(error, CannotGoOn) else 70]


def test_a_part_that_returns_by_itself_is_started_again(process: Process) -> None:
    times: list[int] = []
    process.starts(Part("tail", lambda _pulse: times.append(1)))
    eventually(lambda: len(times) > 2)
    assert "returned by itself" in process.degraded_after(SILENT_SECONDS)["tail"]


def test_a_condition_is_reported_once_the_same_reason_has_held(process: Process) -> None:
    reasons = {"the keys could not be resolved"}
    process.parts.watch(Condition("batch", lambda: reasons, 300), Condition("consumer", lambda: reasons))
    process.starts()
    eventually(lambda: set(process.parts.degraded()) == {"consumer"})
    assert process.degraded_after(300)["batch"] == "the keys could not be resolved"
    reasons.clear()
    eventually(lambda: process.parts.degraded() == {})
    assert process.ended == []


def test_its_wakeup_wakes_a_part_and_a_stop_ends_it(process: Process) -> None:
    rounds: list[int] = []

    def once() -> float:
        rounds.append(1)
        return 3600.0

    part = Part("imports", repeated(once))
    process.starts(part)
    eventually(lambda: len(rounds) == 1)
    part.wakeup.set()
    eventually(lambda: len(rounds) == 2)
    process.parts.stop(10)
    assert not any(thread.is_alive() for thread in process.parts._threads)
