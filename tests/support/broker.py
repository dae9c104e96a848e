"""How a test's own client logs in to the broker."""

from __future__ import annotations

import socket
import struct
from typing import Any

from jalons.embedded.stack import Servers
from jalons.messaging.kafka import client_options
from jalons.process.settings import Settings


def login(servers: Servers, user: str = "operator") -> dict[str, Any]:
    """kafka-python's options for a user of these servers; the operator may do everything."""
    access = servers.kafka_settings(user)
    settings = Settings(database_url="none", secret_key="s" * 32, hub_client_secret="none", **access)
    return client_options(settings, "tests")


def lets_in(port: int, user: str, password: str) -> bool:
    """Whether a listener takes this password, by SASL/PLAIN, on the wire."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        _ask(connection, 17, 1, struct.pack(">h5s", 5, b"PLAIN"))
        token = f"\0{user}\0{password}".encode()
        answer = _ask(connection, 36, 0, struct.pack(">i", len(token)) + token)
        return answer[4:6] == b"\0\0"


def answers_a_stranger(port: int) -> bool:
    """Whether a listener answers a request for its topics to who has not logged in."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        return _ask(connection, 3, 1, struct.pack(">i", -1)) != b""


def _ask(connection: socket.socket, api: int, version: int, body: bytes) -> bytes:
    """The answer without its length; empty if the broker hangs up."""
    head = struct.pack(">hhih5s", api, version, 1, 5, b"tests")
    connection.sendall(struct.pack(">i", len(head) + len(body)) + head + body)
    size = connection.recv(4, socket.MSG_WAITALL)
    return connection.recv(struct.unpack(">i", size)[0], socket.MSG_WAITALL) if size else b""
