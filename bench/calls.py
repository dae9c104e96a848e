"""The load generator: blocking connections, one thread each, the same for every application that is measured."""

from __future__ import annotations

import itertools
import json
import re
import socket
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urlsplit

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


@dataclass
class Connection:
    """One kept-open HTTP connection. Written on the socket: an HTTP library would take processor time from the
    application that is measured on the same machine."""

    url: str
    token: str
    _socket: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        self._socket = socket.create_connection((parts.hostname or "", parts.port or 80), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def post(self, path: str, body: bytes) -> dict[str, Any]:
        """Send a creating call and return the body of its answer. Raises RuntimeError if it is not 201."""
        self._socket.sendall(
            f"POST {path} HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {self.token}\r\n"
            f"Content-Type: application/json\r\nIdempotency-Key: {uuid.uuid4()}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        head, text = self._receive()
        if not head.startswith(b"HTTP/1.1 201 "):
            raise RuntimeError(f"{self.url}{path} answered {head[9:12].decode()}: {text[:500].decode()}")
        answer: dict[str, Any] = json.loads(text)
        return answer

    def _receive(self) -> tuple[bytes, bytes]:
        """Head and body of one answer, read to its Content-Length."""
        received = b""
        while True:
            more = self._socket.recv(65536)
            if not more:
                raise RuntimeError(f"{self.url} closed the connection")
            received += more
            head, end, text = received.partition(b"\r\n\r\n")
            length = _LENGTH.search(head)
            if end and length and len(text) >= int(length[1]):
                return head, text

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


@dataclass(frozen=True)
class Load:
    """Result of one run. durations: seconds from sending a call to its answer, one entry per call."""

    per_second: float
    durations: list[float]


def flood(connections: Sequence[Connection], bodies: Sequence[bytes], seconds: float) -> Load:
    """Send referrals on every connection for so long, each as soon as the previous one is answered."""
    durations: list[float] = []
    next_body = itertools.cycle(bodies)
    began = time.monotonic()
    until = began + seconds

    def send(connection: Connection) -> None:
        while time.monotonic() < until:
            body = next(next_body)
            sent = time.perf_counter()
            connection.post("/referrals", body)
            durations.append(time.perf_counter() - sent)

    in_threads([partial(send, connection) for connection in connections])
    return Load(len(durations) / (time.monotonic() - began), durations)


def pace(
    connections: Sequence[Connection], bodies: Sequence[bytes], seconds: float, per_second: float
) -> dict[str, float]:
    """Send referrals at a steady pace; the time (monotonic) at which each was accepted, by its reference."""
    accepted: dict[str, float] = {}
    total = int(seconds * per_second)
    began = time.monotonic()

    def send(connection: Connection, first: int) -> None:
        for number in range(first, total, len(connections)):
            time.sleep(max(0.0, began + number / per_second - time.monotonic()))
            answer = connection.post("/referrals", bodies[number % len(bodies)])
            accepted[answer["ref"]] = time.monotonic()

    in_threads([partial(send, connection, first) for first, connection in enumerate(connections)])
    return accepted


def in_threads(works: Sequence[Callable[[], None]]) -> None:
    """Run all at the same time and wait for them. Raises the first error of any."""
    failures: list[Exception] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - raised below, in the caller's thread
            failures.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
