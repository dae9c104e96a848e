"""Calls, tokens and retries without I/O: a driver sends each request and returns the response."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from hashlib import sha256
from typing import Any, Literal, cast
from urllib.parse import quote_plus

import httpx
from pydantic_core import to_json

from jalons.client.problems import Unreachable, problem_of

Service = Literal["referrals", "observation", "notifications"]
SERVICES: tuple[Service, ...] = ("referrals", "observation", "notifications")

PATIENCE_SECONDS = 30.0
_AGAIN = frozenset({429, 502, 503, 504})
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_RENEWED_BEFORE_END = 30.0
_NOT_A_MATTER_OF_TIME = (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.ProxyError)
_STREAM_TIMEOUT = httpx.Timeout(10, read=60)
"""The hub sends a keep-alive at least every 15 s."""


class Answer(dict[str, Any]):
    """The hub's JSON answer. New members appear without a new version of the client.

    etag: pass it as `if_match` to act only on the version that was read. call: the id that later events name as cause.
    """

    etag: str | None = None
    call: str | None = None


class Addresses:
    """The services' addresses: one each, or one public address with paths."""

    def __init__(self, where: str | Mapping[str, Any]) -> None:
        self._one = isinstance(where, str)
        self._of = {name: str(where if isinstance(where, str) else where[name]).rstrip("/") for name in SERVICES}

    def url(self, service: Service, path: str) -> str:
        """URL of a path. `/events` exists in every service, so under one public address it has the service's prefix."""
        return f"{self._of[service]}{f'/services/{service}' if self._one and path == '/events' else ''}{path}"

    def origins(self) -> frozenset[tuple[str, str, int | None]]:
        """Scheme, host and port of every service."""
        urls = map(httpx.URL, self._of.values())
        return frozenset((url.scheme, url.host, url.port) for url in urls)


@dataclass(frozen=True, slots=True)
class Call:
    """One call. Its idempotency key is generated once and sent with every retry.

    query: None omits a parameter. cursor: the parameter that takes `next` of the previous page. file: sent as a
    multipart form, with the body as its other fields. streamed: the response is read as it arrives. accept: media type
    of the response.
    """

    method: str
    service: Service
    path: str
    query: Mapping[str, object] = field(default_factory=dict)
    body: Mapping[str, object] | None = None
    file: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cursor: str = "cursor"
    streamed: bool = False
    accept: str = "application/json"

    def following(self, page: Mapping[str, Any]) -> Call | None:
        """The call for the next page; None after the last."""
        after = page.get("next")
        if after is None or str(after) == str(self.query.get(self.cursor)):
            return None
        return self.after(after)

    def after(self, place: object) -> Call:
        """The same call, continued after that cursor."""
        return replace(self, query={**self.query, self.cursor: place})

    def request(self, addresses: Addresses, token: str) -> httpx.Request:
        """The HTTP request."""
        asked = {name: _text(value) for name, value in self.query.items() if value is not None}
        kind, content = self._content()
        return httpx.Request(
            self.method,
            addresses.url(self.service, self.path),
            params=asked or None,
            headers={
                "Accept": self.accept,
                "User-Agent": "jalons-client/1",
                "Authorization": f"Bearer {token}",
                **kind,
                **self.headers,
            },
            extensions={"timeout": _STREAM_TIMEOUT.as_dict()} if self.streamed else None,
            **content,
        )

    def _content(self) -> tuple[dict[str, str], dict[str, Any]]:
        """Content type and body; the same bytes at every retry, since a key belongs to one request."""
        if self.file is not None:
            boundary = sha256(self.file).hexdigest()[:40]
            said = {name: _text(value) for name, value in (self.body or {}).items()}
            kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
            return kind, {"files": {"file": ("table", self.file)}, "data": said}
        if self.body is None:
            return {}, {}
        return {"Content-Type": "application/json"}, {"content": to_json(self.body)}


_OPTIONS = {"idempotency_key": "Idempotency-Key", "if_match": "If-Match", "actor": "Jalons-Actor"}


def written(method: str, service: Service, path: str, said: Mapping[str, object]) -> Call:
    """A writing call, its arguments split into headers and body. Generates an idempotency key if none is given; omits
    None."""
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    headers |= {header: str(said[name]) for name, header in _OPTIONS.items() if said.get(name) is not None}
    body = {name: value for name, value in said.items() if name not in _OPTIONS and value is not None}
    return Call(method, service, path, body=None if method == "DELETE" else body, headers=headers)


@dataclass(frozen=True, slots=True)
class Send:
    """Asks the driver to send a request. The driver returns the response, its body unread if it is streamed and
    successful, or the error."""

    request: httpx.Request
    streamed: bool = False


@dataclass(frozen=True, slots=True)
class Pause:
    """Asks the driver to wait. The driver returns None."""

    seconds: float


Reply = httpx.Response | httpx.TransportError | None
Steps = Generator[Send | Pause, Reply, httpx.Response]


class Exchange:
    """Authenticates and retries one client's calls; its only state is the token. Thread-safe: at worst two threads
    fetch a token.

    patience: seconds during which a call is retried.
    """

    def __init__(self, addresses: Addresses, client_id: str, client_secret: str, patience: float) -> None:
        self._addresses = addresses
        self._basic = httpx.BasicAuth(quote_plus(client_id), quote_plus(client_secret))
        self._patience = patience
        self._token = ("", 0.0)

    def about(self, call: Call) -> Steps:
        """The steps to a successful response. Raises Problem and Unreachable."""
        until = time.monotonic() + self._patience
        for renewed in (False, True):
            token = yield from self._authorised(until)
            request = partial(call.request, self._addresses, token)
            reply = yield from _repeated(call.service, request, until, streamed=call.streamed)
            if reply.status_code != httpx.codes.UNAUTHORIZED or renewed:
                break
            self._token = ("", 0.0)
        if not reply.is_success:
            raise problem_of(reply)
        return reply

    def _authorised(self, until: float) -> Generator[Send | Pause, Reply, str]:
        """A valid token."""
        token, renewed_at = self._token
        if time.monotonic() < renewed_at:
            return token
        asked = time.monotonic()
        reply = yield from _repeated("referrals", self._token_request, until)
        if not reply.is_success:
            raise problem_of(reply)
        given = answer_of(reply)
        seconds = float(given["expires_in"])
        self._token = (str(given["access_token"]), asked + seconds - min(_RENEWED_BEFORE_END, seconds / 10))
        return self._token[0]

    def _token_request(self) -> httpx.Request:
        url = self._addresses.url("referrals", "/oauth/token")
        request = httpx.Request("POST", url, data={"grant_type": "client_credentials"})
        return next(self._basic.auth_flow(request))


def _repeated(service: Service, request: Callable[[], httpx.Request], until: float, *, streamed: bool = False) -> Steps:
    """Send a request until it gets a final answer or time is up."""
    pause = _FIRST_PAUSE
    while True:
        reply = yield Send(request(), streamed)
        if reply is None:
            raise TypeError("a driver answers Send with a response or an error")
        wait = _wait(reply, random.uniform(pause / 2, pause))  # noqa: S311 - a pause is no secret
        if wait is None or time.monotonic() + wait > until:
            if isinstance(reply, httpx.TransportError):
                raise Unreachable(service, reply) from reply
            return reply
        yield Pause(wait)
        pause = min(pause * 2, _LONGEST_PAUSE)


def _wait(reply: httpx.Response | httpx.TransportError, pause: float) -> float | None:
    """Seconds until the next attempt; None if a retry cannot help."""
    if isinstance(reply, httpx.TransportError):
        return None if isinstance(reply, _NOT_A_MATTER_OF_TIME) else pause
    if reply.status_code in _AGAIN:
        return max(pause, _retry_after(reply.headers.get("Retry-After", "")))
    if reply.status_code == httpx.codes.CONFLICT and problem_of(reply).code == "still_running":
        return pause
    return None


def _retry_after(said: str) -> float:
    """`Retry-After` in seconds, from a number or a date; 0 if it is neither."""
    if said.isdigit():
        return float(said)
    try:
        return max(0.0, (parsedate_to_datetime(said).astimezone(UTC) - datetime.now(UTC)).total_seconds())
    except ValueError:
        return 0.0


def answer_of(reply: httpx.Response) -> Answer:
    """The JSON object of a successful response. Raises Problem if it is none."""
    try:
        said = reply.json()
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise problem_of(reply)
    answer = Answer(cast(dict[str, Any], said))
    answer.etag = reply.headers.get("ETag")
    answer.call = reply.headers.get("Jalons-Call")
    return answer


def _text(value: object) -> str:
    """A value as text of a query parameter."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple | set | frozenset):
        return ",".join(map(str, value))
    return str(value)
