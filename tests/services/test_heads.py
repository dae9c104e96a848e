"""Heads too large, too slow or too many are refused, and everyone else is served meanwhile."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
import uvicorn

from jalons.embedded.stack import Stack
from jalons.web.heads import HEAD_BYTES, MOST_CONNECTIONS, HeadProtocol, protocol
from tests.support.apps import Apps
from tests.support.network import eventually


async def _app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Says how large the body was; keeps `/held` open until the caller leaves."""
    size, message = 0, {"more_body": True}
    while message.get("more_body"):
        message = await receive()
        size += len(message.get("body", b""))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while scope["path"] == "/held" and message["type"] != "http.disconnect":
        message = await receive()
    await send({"type": "http.response.body", "body": str(size).encode()})


class Served:
    """An application behind the bounds, on a port of 127.0.0.1."""

    def __init__(self, trusted: str = "") -> None:
        self.kind: type[HeadProtocol] = protocol(trusted)
        config = uvicorn.Config(_app, port=0, http=self.kind, ws="none", log_config=None, lifespan="off")  # type: ignore[arg-type]
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> Served:
        self._thread.start()
        eventually(lambda: self._server.started)
        self.port = self._server.servers[0].sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(10)

    def connect(self, head: bytes = b"", source: str = "127.0.0.1") -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=20, source_address=(source, 0))
        connection.sendall(head)
        return connection

    def answers(self, **more: Any) -> bool:
        return httpx.get(f"http://127.0.0.1:{self.port}/", timeout=20, **more).status_code == 200


@pytest.fixture
def served() -> Iterator[Served]:
    with Served() as running:
        yield running


def _said(connection: socket.socket) -> dict[str, Any]:
    """The problem that the server answered before it hung up."""
    heard = b""
    try:
        while found := connection.recv(65536):
            heard += found
    except ConnectionResetError:  # it hung up before it had read everything
        pass
    found = json.loads(heard.partition(b"\r\n\r\n")[2] or b"{}")
    return dict(found)


def _pours(connection: socket.socket, megabytes: int) -> int:
    """Bytes that could be sent until the server hung up."""
    sent, block = 0, b"a" * 1024 * 1024
    try:
        while sent < megabytes * len(block):
            sent += connection.send(block)
    except (BrokenPipeError, ConnectionResetError):
        return sent
    return sent


START = b"GET / HTTP/1.1\r\nHost: h\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "start",
    [START + b"X-Long: ", b"GET /", START + b"X-", CHUNKED + b"2\r\nok\r\n0\r\nX-Trailer: ", CHUNKED + b"2;x="],
    ids=["value", "address", "name", "trailer", "chunk-extension"],
)
def test_a_head_of_65_megabytes_is_hung_up_on_at_once(served: Served, start: bytes) -> None:
    with served.connect(start) as connection:
        assert _pours(connection, 65) < 10 * 1024 * 1024, "what the system's own buffers hold, at most"
    assert served.answers()


def test_a_head_of_32_kilobytes_is_read_and_a_larger_one_refused(served: Served) -> None:
    url = f"http://127.0.0.1:{served.port}/"
    assert httpx.get(url, headers={"X-Long": "a" * (HEAD_BYTES - 400)}).status_code == 200
    for headers in ({"X-Long": "a" * HEAD_BYTES}, {f"X-{n}": "a" * 100 for n in range(400)}):
        answer = httpx.get(url, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (431, "head_too_large")
    assert httpx.post(url, content=b"a" * 3_000_000).text == "3000000", "a body is bounded elsewhere"
    small = (b"a" * 7 for _ in range(100_000))
    assert httpx.post(url, content=small).text == "700000", "in small chunks too"


def test_half_open_heads_are_dropped_in_time_and_keep_nobody_out(served: Served) -> None:
    served.kind.book.seconds = 3.0
    with ExitStack() as stack:
        half_open = [stack.enter_context(served.connect(START)) for _ in range(1_500)]
        assert served.answers(), "at the same address"
        assert len(served.kind.book.held("127.0.0.1")) <= MOST_CONNECTIONS
        said = [_said(each) for each in half_open]
        assert {each["code"] for each in said if each} == {"head_too_slow"}
    eventually(lambda: not served.kind.book.held("127.0.0.1"))


def test_a_connection_that_says_nothing_is_dropped_too_and_one_at_work_is_not(served: Served) -> None:
    served.kind.book.seconds = 0.5
    with served.connect() as silent, served.connect(b"GET /held HTTP/1.1\r\nHost: h\r\n\r\n") as held:
        assert _said(silent)["code"] == "head_too_slow"
        held.settimeout(0.5)
        with pytest.raises(TimeoutError):
            while held.recv(100):
                continue


def test_an_address_has_so_many_connections_and_a_trusted_proxy_any_number() -> None:
    busy = b"GET /held HTTP/1.1\r\nHost: h\r\n\r\n"
    with Served() as served, ExitStack() as stack:
        served.kind.book.most = 5
        for _ in range(5):
            stack.enter_context(served.connect(busy))
        eventually(lambda: not any(each.waits_for_head for each in served.kind.book.held("127.0.0.1")))
        with served.connect(busy) as sixth:
            assert _said(sixth)["code"] == "too_many_connections"
        other = httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.9"))
        with other:
            assert other.get(f"http://127.0.0.1:{served.port}/").status_code == 200
    with Served("10.0.0.0/8, 127.0.0.1") as served, ExitStack() as stack:
        served.kind.book.most = 5
        for _ in range(9):
            stack.enter_context(served.connect(busy))
        assert served.answers()


def test_what_is_not_http_gets_a_problem(served: Served) -> None:
    with served.connect(b"\x16\x03\x01 not at all\r\n\r\n") as connection:
        assert _said(connection)["code"] == "malformed"


@pytest.mark.parametrize("service", ["referrals", "observation", "notifications"])
def test_every_service_of_a_hub_without_a_proxy_is_bounded(stack: Stack, service: str) -> None:
    answer = httpx.get(f"{stack.info[service]}/health/live", headers={"X-Long": "a" * HEAD_BYTES})
    assert (answer.status_code, answer.json()["code"]) == (431, "head_too_large")


@pytest.mark.parametrize("service", ["referrals", "observation", "notifications"])
def test_no_path_redirects_and_no_answer_may_be_kept(apps: Apps, service: str) -> None:
    url = apps.network.info[service]
    paths = apps.network.http.request("GET", f"{url}/openapi.json").json()["paths"]
    assert len(paths) > 10
    for path in paths:
        if path != "/stream":
            for asked in (path, f"{path}/"):
                answer = apps.network.http.request("GET", f"{url}{asked}", follow_redirects=False)
                assert "location" not in answer.headers or path.startswith("/s"), asked
                kept = answer.headers["cache-control"]
                assert kept == "no-store" or asked.startswith("/.well-known/"), asked
