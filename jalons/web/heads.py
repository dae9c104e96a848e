"""Heads of requests are bounded in size and time, and each address in its connections; one caller starves no other.

uvicorn bounds none of them with httptools, which also joins a long header byte by byte: 65 MB of it held a process for
six seconds. The bounds hold for a body's trailers alike.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from jalons.web.problems import Problem

HEAD_BYTES = 32 * 1024
HEAD_SECONDS = 30.0
MOST_CONNECTIONS = 200

MALFORMED = Problem(400, "malformed", "This is not an HTTP request.", "Send HTTP/1.1 as RFC 9112 has it.")
HEAD_TOO_LARGE = Problem(
    431, "head_too_large", "The address and headers are over 32 kB.", "Send fewer or shorter headers; data in the body."
)
HEAD_TOO_SLOW = Problem(408, "head_too_slow", "The headers did not arrive within 30 s.", "Send the request again.")
TOO_MANY_CONNECTIONS = Problem(
    503, "too_many_connections", f"This address holds {MOST_CONNECTIONS} connections.", "Close some, or wait for them."
)


class _Refused(Exception):
    """Raised out of the parser's callbacks, so that it stops; `why` is in the protocol."""


@dataclass
class Connections:
    """The open connections of each address. trusted: addresses and networks of proxies, which have no bound."""

    trusted: str = ""
    most: int = MOST_CONNECTIONS
    seconds: float = HEAD_SECONDS
    _open: dict[str, dict[HeadProtocol, None]] = field(default_factory=lambda: defaultdict(dict))

    def __post_init__(self) -> None:
        self._networks = [ip_network(each.strip(), strict=False) for each in self.trusted.split(",") if each.strip()]

    def add(self, address: str, connection: HeadProtocol) -> bool:
        """Whether there is room. The oldest that still waits for a head makes room for a newer one: so half-open heads
        keep nobody out, at the same address neither."""
        held = self._open[address]
        if len(held) >= self.most and not self._vouched(address):
            idle = next((each for each in held if each.waits_for_head), None)
            if idle is None:
                return False
            idle.refuse(HEAD_TOO_SLOW)
            held.pop(idle, None)
        held[connection] = None
        return True

    def held(self, address: str) -> list[HeadProtocol]:
        """An address's open connections, oldest first."""
        return list(self._open.get(address, ()))

    def remove(self, address: str, connection: HeadProtocol) -> None:
        """Forget a closed one."""
        self._open[address].pop(connection, None)
        if not self._open[address]:
            del self._open[address]

    def _vouched(self, address: str) -> bool:
        try:
            return any(ip_address(address) in network for network in self._networks)
        except ValueError:
            return False


class HeadProtocol(HttpToolsProtocol):
    """uvicorn's protocol with bounds. `book` is set by `protocol`."""

    book: Connections
    waits_for_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Admit a connection, and give it time for its first head."""
        super().connection_made(transport)
        self._why: Problem | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._size = self._body = self._raw = 0
        self._began = False
        self._address = self.client[0] if self.client else ""
        if self.book.add(self._address, self):
            self._wait()
        else:
            self.refuse(TOO_MANY_CONNECTIONS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._stop_waiting()
        self.book.remove(self._address, self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse a chunk. What is no body must stay small: a head, a chunk's frame, trailers."""
        if self._why is not None:
            return
        self._began, body = False, self._body
        super().data_received(data)
        if self._began or self._why is not None:
            return  # the chunk in which a message begins is at most what one read gives
        self._raw += len(data) - (self._body - body)
        if self._raw > HEAD_BYTES + self._body:
            self.refuse(HEAD_TOO_LARGE)

    def on_message_begin(self) -> None:
        """A head begins."""
        self._size = self._body = self._raw = 0
        self._began = self.waits_for_head = True
        if self._timer is None:
            self._wait()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A part of the address."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header or a trailer."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._stop_waiting()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body; its size is the application's to bound."""
        self._body += len(body)
        super().on_body(body)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's signature
        """Answer what the parser could not read, or was told not to."""
        self.refuse(self._why or MALFORMED)

    def refuse(self, why: Problem) -> None:
        """Say why, and hang up."""
        self._why = why
        self._stop_waiting()
        if not self.transport.is_closing():
            self.transport.write(_raw(why))
            self.transport.close()

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > HEAD_BYTES:
            self._why = HEAD_TOO_LARGE
            raise _Refused

    def _wait(self) -> None:
        self._timer = self.loop.call_later(self.book.seconds, self.refuse, HEAD_TOO_SLOW)

    def _stop_waiting(self) -> None:
        self.waits_for_head = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def protocol(trusted: str) -> type[HeadProtocol]:
    """A protocol for one server, with a book of its own. trusted: see `Connections`."""
    return type("HeadProtocol", (HeadProtocol,), {"book": Connections(trusted)})


def _raw(why: Problem) -> bytes:
    answer: Any = why.response()
    head = [f"HTTP/1.1 {why.status} {why.code}".encode(), *(name + b": " + text for name, text in answer.raw_headers)]
    return b"\r\n".join([*head, b"connection: close", b"", answer.body])
