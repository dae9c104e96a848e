"""A child process dies with its parent; where that fails, the next start stops what is left."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from jalons.embedded import CannotStart

LAUNCH = Path(__file__).with_name("launch.py")
LOG_BYTES = 5_000_000
SWEEP_SECONDS = 8.0

Process = subprocess.Popen[bytes]


def spawn(
    argv: Sequence[str | Path],
    *,
    log: Path,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    death_signal: int = signal.SIGTERM,
    as_plain_user: bool = False,
) -> Process:
    """Start a program in its own session, which Ctrl-C at the terminal does not reach, with its output in `log`.

    It receives `death_signal` when the calling *thread* ends: call this from a thread that lives as long as the child.
    """
    with open_log(log) as out:
        return subprocess.Popen(  # noqa: S603 - programs of ours
            _launched(argv, death_signal, as_plain_user=as_plain_user),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=env,
            start_new_session=True,
        )


def run(
    argv: Sequence[str | Path],
    *,
    what: str,
    cure: str,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    reads: str = "",
    as_plain_user: bool = False,
) -> None:
    """Run a program to its end. Raises CannotStart with `what` failed, the program's last line and the cure."""
    done = subprocess.run(  # noqa: S603 - programs of ours
        _launched(argv, signal.SIGKILL, as_plain_user=as_plain_user),
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=env,
        input=reads,
        start_new_session=True,
    )
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise CannotStart(f"{what} failed (exit code {done.returncode}): {said}.", cure)


def _launched(argv: Sequence[str | Path], death_signal: int, *, as_plain_user: bool) -> list[str]:
    uid, gid = plain_user() if as_plain_user else (0, 0)
    return [sys.executable, "-I", "-S", *map(str, (LAUNCH, os.getpid(), int(death_signal), uid, gid, *argv))]


def plain_user() -> tuple[int, int]:
    """The user and group for a program that refuses to run as root; (0, 0) if this process is not root itself."""
    if os.geteuid() != 0:
        return 0, 0
    if sys.platform != "linux":
        raise CannotStart("PostgreSQL does not run as root.", "Start `jalons` as an ordinary user.")
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def open_log(log: Path) -> IO[bytes]:
    """Open a log for appending, readable by its owner only. One of more than 5 MB is renamed to `.1` first."""
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_name(f"{log.name}.1"))
    return os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb")


def last_line(log: Path) -> str:
    """The last line of a log; "nothing" if it is empty."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 4_000))
            lines = file.read().decode(errors="replace").strip().splitlines()
    except FileNotFoundError:
        lines = []
    return lines[-1] if lines else "nothing"


def remember(run_dir: Path, name: str, pid: int) -> None:
    """Record a child's process id, its start time, since ids are reused, and whose folder this is: a copy of the folder
    of a running hub must not stop that hub's processes."""
    import psutil

    with suppress(psutil.NoSuchProcess):
        (run_dir / f"{name}.pid").write_text(f"{pid} {psutil.Process(pid).create_time()} {run_dir.stat().st_ino}")


def forget(run_dir: Path, name: str) -> None:
    """Remove the record of a child that has ended."""
    (run_dir / f"{name}.pid").unlink(missing_ok=True)


def sweep(run_dir: Path) -> list[str]:
    """Stop the children that an earlier run left behind, and return their names. The caller holds the folder's lock."""
    import psutil

    left: dict[str, psutil.Process] = {}
    for note in run_dir.glob("*.pid"):
        with suppress(ValueError, psutil.NoSuchProcess):
            pid, began, folder = note.read_text().split()
            process = psutil.Process(int(pid))
            if int(folder) == run_dir.stat().st_ino and abs(process.create_time() - float(began)) < 0.05:
                process.terminate()
                left[note.stem] = process
        note.unlink(missing_ok=True)
    _, alive = psutil.wait_procs(left.values(), timeout=SWEEP_SECONDS)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=SWEEP_SECONDS)
    return sorted(left)
