"""Children are started, watched, started again and stopped; none is left behind."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest
from conftest import eventually

from jalons.embedded import CannotStart, process
from jalons.embedded.supervisor import Spec, Supervisor

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
)

POLITE = """
import signal, sys, time
def end(*_):
    print(time.monotonic())
    sys.exit()
signal.signal(signal.SIGTERM, end)
time.sleep(60)
"""


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, said: list[str]) -> Iterator[Supervisor]:
    (tmp_path / "run").mkdir()
    supervisor = Supervisor(tmp_path / "run", said.append)
    yield supervisor
    supervisor.stop(5)


def a_child(tmp_path: Path, name: str, code: str = "import time; time.sleep(60)", **more: object) -> Spec:
    log = tmp_path / f"{name}.log"
    launch = partial(process.spawn, [sys.executable, "-c", code], log=log, cwd=tmp_path)
    return Spec(name, launch, more.pop("ready", lambda: True), log, **more)  # type: ignore[arg-type]


def test_a_dead_child_is_said_and_comes_back_each_time_later(
    supervisor: Supervisor, said: list[str], tmp_path: Path
) -> None:
    supervisor.start(a_child(tmp_path, "worker"))
    first = supervisor.pid_of("worker")
    supervisor.kill("worker")
    eventually(lambda: "worker is back." in said)
    assert supervisor.pid_of("worker") != first
    supervisor.kill("worker")
    eventually(lambda: len(said) == 3)
    assert "ended (signal SIGKILL); starting it again in 1 s" in said[0]
    assert "starting it again in 2 s" in said[2]


def test_with_restart_off_a_dead_child_stays_down_until_asked(
    supervisor: Supervisor, said: list[str], tmp_path: Path
) -> None:
    supervisor.restart = False
    spec = a_child(tmp_path, "worker")
    supervisor.start(spec)
    supervisor.kill("worker")
    eventually(lambda: not supervisor.children["worker"].alive)
    time.sleep(0.5)
    with pytest.raises(LookupError):
        supervisor.pid_of("worker")
    supervisor.start(spec)
    assert psutil.pid_exists(supervisor.pid_of("worker"))
    assert said == []


def test_a_child_that_ends_at_its_first_start_says_its_last_words(supervisor: Supervisor, tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match=r"exit code 3.*It last said: no such luck"):
        supervisor.start(a_child(tmp_path, "worker", "print('no such luck'); exit(3)", ready=lambda: False))


def test_a_child_that_never_answers_is_given_up(supervisor: Supervisor, tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="did not answer within 0 s"):
        supervisor.start(a_child(tmp_path, "worker", ready=lambda: False, patience=0.2))


def test_what_is_done_once_is_ready_when_it_has_ended_well(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(a_child(tmp_path, "job", "open('done', 'w')", once=True))
    assert (tmp_path / "done").exists()
    assert not supervisor.children["job"].alive


def test_stopping_goes_backwards_and_kills_the_deaf(supervisor: Supervisor, said: list[str], tmp_path: Path) -> None:
    supervisor.start(a_child(tmp_path, "first", POLITE))
    supervisor.start(a_child(tmp_path, "deaf", STUBBORN, ready=lambda: "deaf" in (tmp_path / "deaf.log").read_text()))
    supervisor.start(a_child(tmp_path, "last", POLITE))
    time.sleep(0.3)
    supervisor.stop(5)
    assert float((tmp_path / "last.log").read_text()) < float((tmp_path / "first.log").read_text())
    assert len(said) == 1
    assert said[0].startswith("deaf did not stop in ")
    assert not any(child.alive for child in supervisor.children.values())
    assert not list((tmp_path / "run").iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the next start sweeps")
def test_a_child_dies_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    code = f"""
import sys, time
from functools import partial
from pathlib import Path
from jalons.embedded import process
from jalons.embedded.supervisor import Spec, Supervisor
folder = Path({str(tmp_path)!r})
supervisor = Supervisor(folder)
launch = partial(process.spawn, [sys.executable, "-c", "import time; time.sleep(60)"], log=folder / "log", cwd=folder)
supervisor.start(Spec("worker", launch, lambda: True, folder / "log"))
print(supervisor.pid_of("worker"), flush=True)
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    child = psutil.Process(int(parent.stdout.readline()))
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    child.wait(timeout=5)


def test_the_next_start_sweeps_what_was_left_and_nothing_else(tmp_path: Path) -> None:
    left, stranger = (subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) for _ in range(2))
    process.remember(tmp_path, "worker", left.pid)
    (tmp_path / "other.pid").write_text(f"{stranger.pid} 12345.6")  # a number that was used again
    assert process.sweep(tmp_path) == ["worker"]
    assert not psutil.pid_exists(left.pid)
    assert stranger.poll() is None
    assert not list(tmp_path.iterdir())
    stranger.kill()
    stranger.wait()


def test_a_port_that_is_taken_is_stepped_over() -> None:
    from jalons.embedded.folder import free_run

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        if port > 65_000:
            pytest.skip("no room above")
        assert port not in free_run(port - 1, 3)
