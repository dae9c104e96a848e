"""A whole hub on one machine: what `jalons up` and the tests run, and where it wrote how to reach it.

`hub.json` is there from the moment that all of it answers until it is stopped.
"""

from __future__ import annotations

import http.client
import importlib
import os
import signal
import socket
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from jalons.embedded import LOOPBACK, CannotStart
from jalons.embedded.folder import DataFolder, free_run
from jalons.embedded.kafka import Kafka
from jalons.embedded.nursery import Nursery
from jalons.embedded.postgres import Postgres
from jalons.embedded.process import Process, sweep
from jalons.embedded.supervisor import Child, Say, Spec, Supervisor, say_on_stderr

if TYPE_CHECKING:
    from jalons.process.settings import Settings

SERVICES = (
    "referrals",
    "observation",
    "notifications",
)  # as in process/settings.py

# Named, not imported: the services come with the hub, but the hub stands without them.
PRELOAD = (
    "jalons.embedded.stack",
    "jalons.embedded.mail",
    "jalons.process.settings",
    "aiosmtpd.smtp",
    "jalons.process.serve",
    *(f"services.{name}.service" for name in SERVICES),
)

CALL = "jalons.embedded.stack:call_with_settings"


class Servers:
    """Only the broker and PostgreSQL, embedded, on a data folder; each can be killed and started by name.

    The names are "kafka" and "postgres". With `restart` off a killed one stays down until `start(name)`.
    """

    def __init__(
        self,
        data: Path,
        *,
        restart: bool = True,
        say: Say = say_on_stderr,
        tell: Say = lambda _: None,
        quiet: bool = True,
    ) -> None:
        self.folder = DataFolder(data)
        self.say, self.tell, self.quiet = say, tell, quiet
        self.supervisor = Supervisor(self.folder.path / "run", say, restart)
        self.secrets: dict[str, str] = {}
        self.ports: dict[str, int] = {}

    @cached_property
    def kafka(self) -> Kafka:
        """The embedded broker."""
        return Kafka(self.folder.path / "kafka", self.ports["kafka"], self.ports["controller"], quiet=self.quiet)

    @cached_property
    def postgres(self) -> Postgres:
        """The embedded database server."""
        password = self.secrets["database_password"]
        return Postgres(self.folder.path / "postgres", self.ports["postgres"], password)

    @property
    def kafka_address(self) -> str:
        """host:port of the broker."""
        return self.kafka.address

    @property
    def database_url(self) -> str:
        """For SQLAlchemy, with the password."""
        return self.postgres.url

    def __enter__(self) -> Self:
        self.folder.open()  # refused: it is another hub's, and nothing there is ours to stop
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
            self.say(f"{name} was left over from a run that was killed; it is stopped.")
        self.secrets = self.folder.secrets()
        self.ports = self.folder.ports("kafka", "controller", "postgres", "smtp")

    def _start(self) -> None:
        self._start_servers([self.kafka, self.postgres])

    def _start_servers(self, servers: Sequence[Kafka | Postgres], *more: Spec) -> None:
        """Prepared one by one, started side by side; `more` starts with them."""
        for server in servers:
            server.prepare()
        self.supervisor.start(*map(_server, servers), *more)

    def stop(self) -> None:
        """All that runs, last started first, within 15 s; then the folder is free."""
        self.folder.remove("hub.json")
        self.supervisor.stop()
        self.folder.close()

    @property
    def children(self) -> dict[str, Child]:
        """Everything that is supervised, by name."""
        return self.supervisor.children

    def pid_of(self, name: str) -> int:
        """The child's process now. LookupError when it is not running."""
        return self.supervisor.pid_of(name)

    def kill(self, name: str, sig: int = signal.SIGKILL) -> None:
        """Send a signal to a child, as an accident would."""
        self.supervisor.kill(name, sig)

    def start(self, name: str) -> None:
        """Start a child again that is down (with `restart` off) and wait until it answers."""
        self.supervisor.start(self.children[name].spec)


def _server(server: Kafka | Postgres) -> Spec:
    name = type(server).__name__.lower()
    return Spec(name, server.launch, server.ready, server.log, server.stop_signal, patience=120)


class Stack(Servers):
    """The broker, PostgreSQL, the mail catcher and the three services, migrated and answering.

    JALONS_KAFKA, JALONS_DATABASE_URL and JALONS_SMTP_URL name servers that are used instead of embedded ones.
    `service` is a `module:function` called with a service's name and its Settings; `migrate` one called with Settings.
    """

    def __init__(
        self,
        data: Path,
        *,
        port_base: int = 8001,
        allow_loopback_webhooks: bool = False,
        public_url: str | None = None,
        smtp_url: str | None = None,
        test_clock: bool = False,
        restart: bool = True,
        say: Say = say_on_stderr,
        tell: Say = lambda _: None,
        quiet: bool = True,
        service: str = "jalons.process.serve:serve",
        migrate: str = "jalons.process.migrate:migrate",
        preload: Sequence[str] = PRELOAD,
    ) -> None:
        super().__init__(data, restart=restart, say=say, tell=tell, quiet=quiet)
        self.port_base = port_base
        self.asked = {"allow_loopback_webhooks": allow_loopback_webhooks, "public_url": public_url}
        self.smtp_url = smtp_url or os.environ.get("JALONS_SMTP_URL")
        self.test_clock = test_clock
        self.service, self.migrate = service, migrate
        self.nursery = Nursery(preload, self._log("nursery"))
        self.values: dict[str, Any] = {}
        self.info: dict[str, Any] = {}

    @property
    def kafka_address(self) -> str:
        return os.environ.get("JALONS_KAFKA") or super().kafka_address

    @property
    def database_url(self) -> str:
        return os.environ.get("JALONS_DATABASE_URL") or super().database_url

    @property
    def mail_folder(self) -> Path | None:
        """Where mail is caught; None where it is sent."""
        return None if self.smtp_url else self.folder.path / "mail"

    @cached_property
    def settings(self) -> Settings:
        """What the services run with. Asking imports pydantic, which `jalons up` itself never needs."""
        from jalons.process.settings import Settings

        return Settings(**self.values)

    def _start(self) -> None:
        self.values = self._settings()
        servers: list[Kafka | Postgres] = []
        if "JALONS_KAFKA" not in os.environ:
            servers.append(self.kafka)
        if "JALONS_DATABASE_URL" not in os.environ:
            servers.append(self.postgres)
        self.tell("Starting " + ", ".join(type(server).__name__ for server in servers) if servers else "Importing")
        self._start_servers(
            servers, Spec("nursery", self.nursery.launch, self.nursery.ready, self._log("nursery"), patience=120)
        )
        self.tell("Bringing the database and the topics up to date")
        self.supervisor.start(self._migration(), *self._catcher())
        self.tell("Starting the services")
        self.supervisor.start(*map(self._service, SERVICES))
        self.info = self._info()
        self.folder.write("hub.json", self.info)

    def _settings(self) -> dict[str, Any]:
        """Every value that Settings shall not take from the environment."""
        ports = free_run(self.port_base, len(SERVICES))
        if ports[0] != self.port_base:
            self.say(
                f"Port {self.port_base} or one of the next two is taken: the services use {ports[0]} to {ports[-1]}."
            )
        addresses: dict[str, Any] = {}
        for name, port in zip(SERVICES, ports, strict=True):
            addresses |= {f"{name}_port": port, f"{name}_url": f"http://{LOOPBACK}:{port}"}
        own = {name: self.secrets[name] for name in ("secret_key", "operator_client_secret", "hub_client_secret")}
        mail = {
            "smtp_url": self.smtp_url or f"smtp://{LOOPBACK}:{self.ports['smtp']}",
            "mail_catcher_dir": self.mail_folder,
        }
        asked = {name: value for name, value in self.asked.items() if value}  # the rest may come from JALONS_…
        stores = {"kafka": self.kafka_address, "database_url": self.database_url}
        return (
            {"host": LOOPBACK, "operator_client_id": "operator"}
            | stores
            | addresses
            | own
            | mail
            | asked
            | self._clock()
        )

    def _clock(self) -> dict[str, Any]:
        """Where the hub's time is kept, if it may be moved. CannotStart where that would reach people: what was
        recorded after a move lies in the future, and real mail would tell of days that have not come."""
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
        """hub.json, as contract.md says. The database's address is for any client, so without SQLAlchemy's driver."""
        urls = {name: self.values[f"{name}_url"] for name in SERVICES}
        operator = {
            "client_id": self.values["operator_client_id"],
            "client_secret": self.values["operator_client_secret"],
        }
        database = self.database_url.replace("postgresql+psycopg://", "postgresql://", 1)
        return urls | {"kafka": self.kafka_address, "database": database, "operator": operator}

    def _log(self, name: str) -> Path:
        return self.folder.path / "log" / f"{name}.log"

    def _fork(self, name: str, target: str, *arguments: Any) -> Callable[[], Process]:
        return partial(self.nursery.fork, target, arguments, self._log(name))

    def _migration(self) -> Spec:
        launch = self._fork("migrate", CALL, self.migrate, (), self.values)
        return Spec("migrate", launch, lambda: False, self._log("migrate"), patience=300, once=True)

    def _catcher(self) -> list[Spec]:
        if self.mail_folder is None:
            return []
        port = self.ports["smtp"]
        launch = self._fork("mail", "jalons.embedded.mail:serve", port, str(self.mail_folder))
        return [Spec("mail", launch, partial(greets, port), self._log("mail"))]

    def _service(self, name: str) -> Spec:
        launch = self._fork(name, CALL, self.service, (name,), self.values)
        return Spec(name, launch, partial(is_ready, self.values[f"{name}_port"]), self._log(name), patience=90)


def call_with_settings(target: str, arguments: tuple[str, ...], values: dict[str, Any]) -> None:
    """In a forked child: build the Settings there and call `module:function` with them last."""
    from jalons.process.settings import Settings

    module, _, function = target.partition(":")
    getattr(importlib.import_module(module), function)(*arguments, Settings(**values))


def is_ready(port: int) -> bool:
    """Whether a service says itself that it is ready."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=2)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def greets(port: int) -> bool:
    """Whether an SMTP server says 220."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1) as connection:
            return connection.recv(3) == b"220"
    except OSError:
        return False
