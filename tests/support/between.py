"""A proxy between a partner's system and the hub that forwards calls, or fails as a test tells it to."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

Mishap = Callable[["Passing"], None]
"""Handles one call instead of forwarding it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A call that the proxy received."""

    path: str
    query: str
    headers: dict[str, str]


class Between:
    """The proxy of a server. mishaps: applied to the next calls, one each; other calls are forwarded."""

    def __init__(self, to: str) -> None:
        self.to = to
        self.http = httpx.Client(timeout=30)
        self.mishaps: deque[Mishap] = deque()
        self.calls: list[Seen] = []
        self.url = ""

    def keys(self, path: str) -> list[str]:
        """Idempotency keys of the calls to a path."""
        return [call.headers["idempotency-key"] for call in self.calls if call.path == path]

    def count(self, path: str) -> int:
        """Number of calls to a path."""
        return sum(call.path == path for call in self.calls)


class Passing(BaseHTTPRequestHandler):
    """Handles one call. Each Between has its own subclass."""

    between: Between

    def passed_on(self) -> httpx.Response:
        """Forward the call once; returns the server's response."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
        return self.between.http.request(self.command, self.between.to + self.path, headers=headers, content=body)

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        """Answer the caller."""
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def handle_call(self) -> None:
        """Handle a call of any method."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        path, _, query = self.path.partition("?")
        self.between.calls.append(Seen(path, query, headers))
        token = path == "/oauth/token"
        if self.between.mishaps and not token:
            self.between.mishaps.popleft()(self)
            return
        reply = self.passed_on()
        kept = ("content-type", "etag", "jalons-call", "retry-after")
        self.answer(
            reply.status_code, reply.content, {name: reply.headers[name] for name in kept if name in reply.headers}
        )

    do_GET = do_POST = do_PUT = do_DELETE = handle_call  # noqa: N815 - http.server's names

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def drop_the_answer(call: Passing) -> None:
    """Forward the call, then drop the connection instead of answering."""
    call.passed_on()
    call.connection.close()


def drop_the_call(call: Passing) -> None:
    """Drop the connection without forwarding the call."""
    call.connection.close()


def refuse(status: int, body: bytes = b"", **headers: str) -> Mishap:
    """A mishap that answers with this status. headers: with `_` for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda call: call.answer(status, body, named)


def break_off(body: bytes, media_type: str) -> Mishap:
    """A mishap that sends only `body` of a longer response."""

    def broken(call: Passing) -> None:
        call.send_response(200)
        call.send_header("Content-Type", media_type)
        call.send_header("Content-Length", str(len(body) + 1))
        call.end_headers()
        call.wfile.write(body)

    return broken


@contextmanager
def between(to: str) -> Iterator[Between]:
    """A proxy of the server at `to`."""
    proxy = Between(to)
    handler = type("Handler", (Passing,), {"between": proxy})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        proxy.http.close()
