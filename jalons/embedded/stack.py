"""A whole hub on one machine, as `jalons up` and the tests run it.

`hub.json` in the data folder says how to reach it. The file exists from the moment everything is ready until the stop.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from jalons.embedded import LOOPBACK, CannotStart
from jalons.embedded.folder import KAFKA_USERS, DataFolder, free_run, is_free
from jalons.embedded.kafka import Kafka
from jalons.embedded.postgres import Postgres
from jalons.embedded.process import spawn, sweep
from jalons.embedded.supervisor import Child, Report, Spec, Supervisor, print_to_stderr

if TYPE_CHECKING:
    from jalons.process.settings import Settings

SERVICES = (
    "referrals",
    "observation",
    "notifications",
)  # as in jalons.process.settings, which this process does not import

PORT_BASE = 8001
PROGRAM = (sys.executable, "-P", "-m", "jalons")


class Servers:
    """Only the broker and PostgreSQL, embedded, on a data folder.

    Their names are "kafka" and "postgres". With `restart` off, one that ended stays down until `start(name)`.
    """

    def __init__(
        self,
        data: Path,
        *,
        restart: bool = True,
        report: Report = print_to_stderr,
        progress: Report = lambda _: None,
        quiet: bool = True,
    ) -> None:
        self.folder = DataFolder(data)
        self.report, self.progress, self.quiet = report, progress, quiet
        self.supervisor = Supervisor(self.folder.path / "run", report, restart)
        self.secrets: dict[str, str] = {}
        self.ports: dict[str, int] = {}

    @cached_property
    def kafka(self) -> Kafka:
        """The embedded broker."""
        passwords = {user: self.secrets[f"kafka_{user}_password"] for user in KAFKA_USERS}
        ports = (self.ports["kafka"], self.ports["controller"])
        return Kafka(self.folder.path / "kafka", *ports, passwords, quiet=self.quiet)

    @cached_property
    def postgres(self) -> Postgres:
        """The embedded database server."""
        password = self.secrets["database_password"]
        return Postgres(self.folder.path / "postgres", self.ports["postgres"], password)

    @property
    def kafka_address(self) -> str:
        """host:port of the broker."""
        return self.kafka.address

    def kafka_settings(self, user: str = "operator") -> dict[str, Any]:
        """The settings with which a user reaches the broker."""
        return {
            "kafka": self.kafka_address,
            "kafka_security": "SASL_PLAINTEXT",
            "kafka_sasl_mechanism": "PLAIN",
            "kafka_username": user,
            "kafka_password": self.secrets[f"kafka_{user}_password"],
        }

    @property
    def database_url(self) -> str:
        """For SQLAlchemy, with the password."""
        return self.postgres.url

    def __enter__(self) -> Self:
        self.folder.open()  # outside the try: a refused folder may be another hub's, and nothing in it is stopped
        try:
            self._open()
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _open(self) -> None:
        self.folder.remove("hub.json")
        for name in sweep(self.folder.path / "run"):
            self.report(f"{name} was left over from a run that was killed. It is stopped.")
        self.secrets = self.folder.secrets()
        self.ports = self.folder.ports("kafka", "controller", "postgres", "smtp")

    def _start(self) -> None:
        self._start_servers([self.kafka, self.postgres])

    def _start_servers(self, servers: Sequence[Kafka | Postgres]) -> None:
        """Prepare servers one by one, then start them at the same time."""
        for server in servers:
            server.prepare()
        self.supervisor.start(*map(_server, servers))

    def stop(self) -> None:
        """Stop everything, the last started first, within 15 seconds, and release the folder."""
        self.folder.remove("hub.json")
        self.supervisor.stop()
        self.folder.close()

    @property
    def children(self) -> dict[str, Child]:
        """Every supervised process, by name."""
        return self.supervisor.children

    def pid_of(self, name: str) -> int:
        """The id of a child's process. Raises LookupError if it is not running."""
        return self.supervisor.pid_of(name)

    def kill(self, name: str, sig: int = signal.SIGKILL) -> None:
        """Send a signal to a child."""
        self.supervisor.kill(name, sig)

    def start(self, name: str) -> None:
        """Start a child that is down (with `restart` off), and wait until it is ready."""
        self.supervisor.start(self.children[name].spec)


def _server(server: Kafka | Postgres) -> Spec:
    name = type(server).__name__.lower()
    return Spec(name, server.launch, server.ready, server.log, server.stop_signal, patience=120)


class Stack(Servers):
    """The broker, PostgreSQL, the mail catcher and the three services, migrated and ready.

    JALONS_KAFKA, JALONS_DATABASE_URL and JALONS_SMTP_URL name servers that are used instead of embedded ones. program:
    what is started with `serve SERVICE` and `migrate`, its settings in the environment. closed: only the broker and
    PostgreSQL run, for work on a hub that serves nobody.
    """

    def __init__(
        self,
        data: Path,
        *,
        port_base: int | None = None,
        allow_loopback_webhooks: bool = False,
        public_url: str | None = None,
        smtp_url: str | None = None,
        test_clock: bool = False,
        restart: bool = True,
        report: Report = print_to_stderr,
        progress: Report = lambda _: None,
        quiet: bool = True,
        program: Sequence[str] = PROGRAM,
        closed: bool = False,
    ) -> None:
        super().__init__(data, restart=restart, report=report, progress=progress, quiet=quiet)
        self.port_base = port_base
        self.asked = {"allow_loopback_webhooks": allow_loopback_webhooks, "public_url": public_url}
        self.smtp_url = smtp_url or os.environ.get("JALONS_SMTP_URL")
        self.test_clock = test_clock
        self.program = program
        self.closed = closed
        self.values: dict[str, Any] = {}
        self.info: dict[str, Any] = {}

    @property
    def kafka_address(self) -> str:
        return os.environ.get("JALONS_KAFKA") or super().kafka_address

    def kafka_settings(self, user: str = "operator") -> dict[str, Any]:
        """With a broker of one's own, its address; the rest is taken from JALONS_KAFKA_… variables."""
        return {"kafka": self.kafka_address} if "JALONS_KAFKA" in os.environ else super().kafka_settings(user)

    @property
    def database_url(self) -> str:
        return os.environ.get("JALONS_DATABASE_URL") or super().database_url

    @property
    def mail_folder(self) -> Path | None:
        """Where mail is caught; None if it is sent."""
        return None if self.smtp_url else self.folder.path / "mail"

    @cached_property
    def settings(self) -> Settings:
        """The services' settings. Imports pydantic, which `jalons up` itself does not need."""
        from jalons.process.settings import Settings

        return Settings(**self.values)

    def _start(self) -> None:
        if not self.closed and (self.folder.path / "restoring").exists():
            raise CannotStart(
                f"A restore of {self.folder.path} was cut short.", "Run it again: jalons restore FILE --data DIR."
            )
        self.values = self._settings()
        servers: list[Kafka | Postgres] = []
        if "JALONS_KAFKA" not in os.environ:
            servers.append(self.kafka)
        if "JALONS_DATABASE_URL" not in os.environ:
            servers.append(self.postgres)
        if servers:
            self.progress("Starting " + ", ".join(type(server).__name__ for server in servers))
            self._start_servers(servers)
        if self.closed:
            return
        self.progress("Bringing the database and the topics up to date")
        self.supervisor.start(self._migration(), *self._catcher())
        self.progress("Starting the services")
        self.supervisor.start(*map(self._service, SERVICES))
        self.info = self._info()
        self.folder.write("hub.json", self.info)

    def _settings(self) -> dict[str, Any]:
        """The settings that this hub decides; the others are taken from JALONS_… variables."""
        ports = self._ports()
        addresses: dict[str, Any] = {}
        for name, port in zip(SERVICES, ports, strict=True):
            addresses |= {f"{name}_port": port, f"{name}_url": f"http://{LOOPBACK}:{port}"}
        own = {name: self.secrets[name] for name in ("secret_key", "operator_client_secret", "hub_client_secret")}
        catcher = f"smtp://hub:{self.secrets['mail_password']}@{LOOPBACK}:{self.ports['smtp']}?starttls=0"
        mail = {
            "smtp_url": self.smtp_url or catcher,
            "mail_catcher_dir": self.mail_folder,
        }
        asked = {name: value for name, value in self.asked.items() if value}
        stores = self.kafka_settings() | {
            "database_url": self.database_url,
            "backup_dir": self.folder.path / "backups",
        }
        return (
            {"host": LOOPBACK, "operator_client_id": "operator"}
            | stores
            | addresses
            | own
            | mail
            | asked
            | self._clock()
        )

    def _ports(self) -> Sequence[int]:
        """The services' ports. Those that were asked for are never moved: addresses were given out with them."""
        if self.port_base is None:
            ports = free_run(PORT_BASE, len(SERVICES))
            if ports[0] != PORT_BASE:
                self.report(f"Port {PORT_BASE} or one of the next two is taken: the services use {ports[0]} and on.")
            return ports
        ports = range(self.port_base, self.port_base + len(SERVICES))
        taken = [str(port) for port in ports if not is_free(port)]
        if taken:
            raise CannotStart(
                f"Port {' and '.join(taken)} is taken, of {ports[0]} to {ports[-1]} that --port-base names.",
                "End what listens there (ss -ltnp shows it), or name another --port-base.",
            )
        return ports

    def _clock(self) -> dict[str, Any]:
        """The file of the test clock, if there is one. Raises CannotStart where moved time would reach people: records
        made after a move lie in the future, and real mail would speak of days to come."""
        path = self.folder.path / "clock"
        if not self.test_clock and path.exists():
            raise CannotStart(
                f"The time of {self.folder.path} was moved.", "Start it with --test-clock, or name another folder."
            )
        if self.test_clock and self.smtp_url:
            raise CannotStart(
                "Time is not moved where mail is sent.", "Leave out --test-clock, or --smtp-url and JALONS_SMTP_URL."
            )
        return {"test_clock": path} if self.test_clock else {}

    def _info(self) -> dict[str, Any]:
        """The content of hub.json. The database's address is for any client, so it names no SQLAlchemy driver."""
        urls = {name: self.values[f"{name}_url"] for name in SERVICES}
        operator = {
            "client_id": self.values["operator_client_id"],
            "client_secret": self.values["operator_client_secret"],
        }
        database = self.database_url.replace("postgresql+psycopg://", "postgresql://", 1)
        access = self.kafka_settings()
        broker = {"kafka": access.pop("kafka"), "kafka_access": access}
        return urls | broker | {"database": database, "operator": operator}

    def _log(self, name: str) -> Path:
        return self.folder.path / "log" / f"{name}.log"

    def _spec(self, name: str, command: Sequence[str], ready: Callable[[], bool], **more: Any) -> Spec:
        environment = self._environment(name)
        launch = partial(
            spawn, command, log=self._log(name), cwd=Path.cwd(), env=environment, death_signal=signal.SIGKILL
        )
        return Spec(name, launch, ready, self._log(name), **more)

    def _environment(self, child: str) -> dict[str, str]:
        """This process's environment with the hub's own settings as JALONS_… variables; None means unset. A service
        reaches the broker as itself."""
        found = dict(os.environ)
        own = self.kafka_settings(child) if child in SERVICES else {}
        for name, value in (self.values | own).items():
            found.pop(f"JALONS_{name.upper()}", None)
            if value is not None:
                found[f"JALONS_{name.upper()}"] = str(value)
        return found

    def _migration(self) -> Spec:
        return self._spec("migrate", [*self.program, "migrate"], lambda: False, patience=300, once=True)

    def _catcher(self) -> list[Spec]:
        if self.mail_folder is None:
            return []
        command = [sys.executable, "-P", "-m", "jalons.embedded.mail", str(self.mail_folder)]
        return [self._spec("mail", command, partial(greets, self.ports["smtp"]))]

    def _service(self, name: str) -> Spec:
        ready = partial(is_ready, self.values[f"{name}_port"])
        return self._spec(name, [*self.program, "serve", name], ready, patience=90)


def is_ready(port: int) -> bool:
    """Whether a service answers /health/ready with 200."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=2)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def greets(port: int) -> bool:
    """Whether an SMTP server greets with 220."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1) as connection:
            return connection.recv(3) == b"220"
    except OSError:
        return False
