"""How many referrals a second are taken on, how long a caller waits, and how soon an accepted one is visible."""

from __future__ import annotations

import itertools
import json
import re
import socket
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import httpx

from jalons.cli.demo.story import COORDINATION, HOTTON, PROFILE, TRUSQUIN, Story
from jalons.client import Client

REFERRAL = {
    "recipient": TRUSQUIN,
    "moment": "formation",
    "reason": "training",
    "goal": "qualify",
    "chosen_by": "together",
    "contact": "receiver_calls_referrer",
}


PERSONS = 1000
"""So many that each ends with a handful of open referrals, as people do; with 200 it would be over twenty, each read
back at every event of theirs."""
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


def known(story: Story, persons: int) -> list[bytes]:
    """Bodies of referrals for persons whom the CPAS has registered and who have agreed; the usual case."""
    hotton = story.actors[HOTTON]
    bodies = []
    for _ in range(persons):
        person = hotton.beneficiaries.register(profile=PROFILE)["beneficiary"]
        hotton.beneficiaries.consent(person, partners=[TRUSQUIN], purposes=["referral"], channel="paper")
        bodies.append(json.dumps(REFERRAL | {"beneficiary": person}).encode())
    return bodies


def percentile(sorted_values: list[float], share: float) -> float:
    """The value below which a share of them lies."""
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))]


@dataclass
class Connection:
    """One partner system's kept-open connection. Below any HTTP library: callers have machines of their own, and what
    this one spends is taken from the hub that is measured (http.client took a sixteenth of it)."""

    url: str
    token: str
    _socket: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        self._socket = socket.create_connection((parts.hostname or "", parts.port or 80), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def post(self, path: str, body: bytes) -> dict[str, Any]:
        """A creating call; its answer."""
        self._socket.sendall(
            f"POST {path} HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {self.token}\r\n"
            f"Content-Type: application/json\r\nIdempotency-Key: {uuid.uuid4()}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        head, text = self._received()
        if not head.startswith(b"HTTP/1.1 201 "):
            raise RuntimeError(f"{path} answered {head[9:12].decode()}")
        found: dict[str, Any] = json.loads(text)
        return found

    def _received(self) -> tuple[bytes, bytes]:
        """A whole answer: head, and as many bytes as it says."""
        got = b""
        while True:
            more = self._socket.recv(65536)
            if not more:
                raise RuntimeError("the hub closed the connection")
            got += more
            head, end, text = got.partition(b"\r\n\r\n")
            length = _LENGTH.search(head)
            if end and length and len(text) >= int(length[1]):
                return head, text


def rate(story: Story, bodies: list[bytes], seconds: float, connections: int = 4) -> dict[str, float]:
    """Calls a second at so many connections, each waiting for its answer, while all that follows from them goes on."""
    took: list[float] = []
    next_body = itertools.cycle(bodies)
    opened = [_connect(story) for _ in range(connections)]
    began = time.monotonic()
    until = began + seconds

    def send(connection: Connection) -> None:
        while time.monotonic() < until:
            body = next(next_body)
            sent = time.perf_counter()
            connection.post("/referrals", body)
            took.append(time.perf_counter() - sent)

    _together([partial(send, connection) for connection in opened])
    elapsed = time.monotonic() - began
    took.sort()
    return {
        "calls_per_second": len(took) / elapsed,
        **{f"p{share}_ms": 1000 * percentile(took, share / 100) for share in (50, 95, 99)},
    }


def delay(story: Story, bodies: list[bytes], seconds: float, per_second: int = 50) -> dict[str, float]:
    """From the 2xx in the caller's hand to the event in the coordinator's stream, at a steady pace."""
    seen: dict[str, float] = {}
    accepted: dict[str, float] = {}
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(story.actors[COORDINATION], seen, done), daemon=True)
    watcher.start()
    callers = 2
    opened = [_connect(story) for _ in range(callers)]
    _await_watcher(opened[0], bodies[0], seen)
    total = int(seconds * per_second)

    def send(connection: Connection, first: int) -> None:
        began = time.monotonic()
        for number in range(first, total, callers):
            pause = began + number / per_second - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            answer = connection.post("/referrals", bodies[number % len(bodies)])
            accepted[answer["ref"]] = time.monotonic()

    _together([partial(send, connection, first) for first, connection in enumerate(opened)])
    until = time.monotonic() + 20
    while time.monotonic() < until and len(seen.keys() & accepted.keys()) < len(accepted):
        time.sleep(0.1)
    done.set()
    if missing := accepted.keys() - seen.keys():
        raise RuntimeError(f"{len(missing)} accepted calls never became visible")
    waits = sorted(max(0.0, seen[ref] - at) for ref, at in accepted.items())
    return {f"p{share}_ms": 1000 * percentile(waits, share / 100) for share in (50, 99)}


def _connect(story: Story) -> Connection:
    """A connection below the client, so that what is measured is the hub: with a client of its own."""
    made = story.actors["operator"].partners.add_client(HOTTON)
    url = story.info["referrals"]
    answer = httpx.post(
        f"{url}/oauth/token",
        data={"grant_type": "client_credentials"},
        auth=(made["client_id"], made["client_secret"]),
    )
    return Connection(url, answer.raise_for_status().json()["access_token"])


def _watch(coordinator: Client, seen: dict[str, float], done: threading.Event) -> None:
    """Note when each referral's reference arrives on the stream."""
    for event in coordinator.stream(types=["referral.sent"]):
        seen[event["data"]["reference"]] = time.monotonic()
        if done.is_set():
            return


def _await_watcher(connection: Connection, body: bytes, seen: dict[str, float]) -> None:
    """Until a call is seen: a stream tells what comes once it is open, and what was sent before would count as lost."""
    until = time.monotonic() + 30
    while not seen:
        if time.monotonic() > until:
            raise RuntimeError("the coordinator's stream shows nothing of what is accepted")
        connection.post("/referrals", body)
        time.sleep(0.5)


def _together(works: list[Callable[[], None]]) -> None:
    failures: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - told below, in the caller's thread
            failures.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
