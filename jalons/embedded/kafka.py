"""One Kafka node, broker and controller in one. It restarts on the same folder whatever ended it before.

Measured idle with 19 partitions on Java 17: Kafka's defaults take 373 MB and 6.2 % of a core; with the C1 compiler only
345 MB and 3.1 %; without idle records in the metadata log 2.5 %; with few threads and a cleaner buffer of 8 MB instead
of 128 MB, 212 MB and 1.7 %; with a heap that shrinks 160 MB. The rate of a producer stayed 9 200 events a second.
"""

from __future__ import annotations

import base64
import os
import shutil
import signal
import socket
import struct
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from jalons.embedded import LOOPBACK
from jalons.embedded.jars import class_path
from jalons.embedded.jre import find_java
from jalons.embedded.process import Process, run, spawn

LARGEST_BATCH = 4 * 1024 * 1024 + 64 * 1024  # 4 MiB of events and the batch's overhead

# The heap starts at three times its live data. A heap that grows in small steps needed a full collection every twenty
# seconds under load, which held up every call for 60 to 115 ms. This costs 10 MB. The young generation is small, so
# that an idle broker touches few pages.
JVM = (
    "-Xmx256m",
    "-Xms128m",
    "-Xmn24m",
    "-Xss256k",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    "-Djava.util.logging.config.file=logging.properties",
)

# A killed broker can rejoin only when its old session has expired: after 4 seconds instead of 9.
PROPERTIES = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "CLIENTS",
    "listener.security.protocol.map": "CLIENTS:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
    "sasl.enabled.mechanisms": "PLAIN",
    "sasl.mechanism.inter.broker.protocol": "PLAIN",
    "sasl.mechanism.controller.protocol": "PLAIN",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:broker;User:operator",
    "auto.create.topics.enable": "false",
    "message.max.bytes": LARGEST_BATCH,
    "replica.fetch.max.bytes": LARGEST_BATCH,
    "socket.request.max.bytes": 2 * LARGEST_BATCH,
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1000,
    "broker.session.timeout.ms": 4000,
    "broker.heartbeat.interval.ms": 2000,
    "metadata.max.idle.interval.ms": 0,
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 1,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "share.coordinator.state.topic.num.partitions": 1,
    "num.network.threads": 1,
    "num.io.threads": 2,
    "background.threads": 2,
    "num.recovery.threads.per.data.dir": 1,
    "num.replica.alter.log.dirs.threads": 1,
    "group.coordinator.threads": 1,
    "group.coordinator.background.threads": 1,
    "share.coordinator.threads": 1,
    "log.cleaner.dedupe.buffer.size": 8 * 1024 * 1024,
    "auto.leader.rebalance.enable": "false",
}

# At most three files of 5 MB. `log/kafka.log.0` is the newest.
LOGGING = """\
handlers=java.util.logging.FileHandler
.level=INFO
java.util.logging.FileHandler.pattern=../log/kafka.log.%g
java.util.logging.FileHandler.limit=5000000
java.util.logging.FileHandler.count=3
java.util.logging.FileHandler.append=true
java.util.logging.FileHandler.formatter=java.util.logging.SimpleFormatter
java.util.logging.SimpleFormatter.format=%1$tFT%1$tT.%1$tL %4$s %3$s %5$s%6$s%n
"""


@dataclass
class Kafka:
    """A broker with its data in `folder` and its logs in `../log`. Paths are relative: the folder can be moved.

    passwords: of its users by name, among them `broker` (itself) and `operator`, who may do everything; the others may
    do what `jalons migrate` allows them. Nobody else may connect, to the controller's port neither: whoever reached
    that could write past every rule.
    """

    quorum: ClassVar[tuple[str, ...]] = ("--standalone",)
    """How a new store says who votes."""

    folder: Path
    port: int
    controller_port: int
    passwords: Mapping[str, str] = field(repr=False)
    quiet: bool = False
    stop_signal: int = signal.SIGTERM
    _java: Path = field(default=Path(), init=False)
    _env: dict[str, str] = field(default_factory=dict, init=False)

    @property
    def address(self) -> str:
        """The bootstrap server, host:port."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def log(self) -> Path:
        """The program's output: before its own log is open, and at its end."""
        return self.folder.parent / "log" / "kafka.out"

    def prepare(self) -> None:
        """Find Java and the jars, write the settings and, the first time, format the store. Raises CannotStart."""
        self._java = find_java()
        self._env = os.environ | {"CLASSPATH": os.pathsep.join(map(str, class_path(quiet=self.quiet)))}
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.log.parent.mkdir(mode=0o700, exist_ok=True)
        (self.folder / "logging.properties").write_text(LOGGING)
        self._write("server.properties", "store")
        if not (self.folder / "store").exists():
            self._format()

    def _write(self, name: str, store: str) -> None:
        """Write the settings, readable by their owner only: they hold every password."""
        controller = f"{LOOPBACK}:{self.controller_port}"
        own = {
            "listeners": f"CLIENTS://{self.address},CONTROLLER://{controller}",
            "advertised.listeners": f"CLIENTS://{self.address}",
            "controller.quorum.bootstrap.servers": controller,
            "log.dirs": store,
            "listener.name.clients.plain.sasl.jaas.config": self._login(*self.passwords),
            "listener.name.controller.plain.sasl.jaas.config": self._login("broker"),
        }
        text = "".join(f"{key}={value}\n" for key, value in (PROPERTIES | own).items())
        (self.folder / name).unlink(missing_ok=True)
        with os.fdopen(os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)

    def _login(self, *users: str) -> str:
        """Who may log in to a listener, and how the broker itself logs in to it."""
        known = "".join(f' user_{user}="{self.passwords[user]}"' for user in users)
        own = f'username="broker" password="{self.passwords["broker"]}"'
        return f"org.apache.kafka.common.security.plain.PlainLoginModule required {own}{known};"

    def _format(self) -> None:
        """Format in a side folder and rename it, so that a store that exists is complete."""
        half = self.folder / "store.new"
        shutil.rmtree(half, ignore_errors=True)
        self._write("format.properties", half.name)
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")
        tool = ("kafka.tools.StorageTool", "format", *self.quorum, "-t", cluster, "-c", "format.properties")
        run(
            [self._java, *JVM, *tool],
            what="Formatting Kafka's store",
            cure=f"{self.folder} must be writable and have room.",
            cwd=self.folder,
            env=self._env,
        )
        (self.folder / "format.properties").unlink()
        half.rename(self.folder / "store")

    def launch(self) -> Process:
        """Start the broker's process."""
        command: list[str | Path] = [self._java, *JVM, "kafka.Kafka", "server.properties"]
        return spawn(command, log=self.log, cwd=self.folder, env=self._env, death_signal=self.stop_signal)

    def ready(self) -> bool:
        """Whether it answers an ApiVersions request. It opens its port only when it can serve."""
        return answers(self.port)


def answers(port: int) -> bool:
    """Whether a Kafka broker on this port answers an ApiVersions request (version 0) without an error."""
    client = b"jalons"
    body = struct.pack(">hhih", 18, 0, 1, len(client)) + client
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1) as connection:
            connection.sendall(struct.pack(">i", len(body)) + body)
            answer = connection.recv(10, socket.MSG_WAITALL)
    except OSError:
        return False
    return len(answer) == 10 and answer[4:] == struct.pack(">ih", 1, 0)
