"""Webhooks by HTTP: a call goes only to an address that was just checked, and no redirect is followed."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import httpx

from jalons import clock
from services.notifications.deliveries.outcome import Deferred, Outcome, Refused
from services.notifications.webhooks.addresses import may_be_reached, refusal_of_url
from services.notifications.webhooks.response import outcome_of

SECONDS = 10.0
_CONNECT_SECONDS = 3.0

T = TypeVar("T")
Resolve = Callable[[str, int], Awaitable[list[str]]]


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host name, in the system's order. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class NotAllowed(Exception):
    """Why a URL may not be called: a code of `causes`."""


class HttpWebhookClient:
    """loopback: whether this machine may be called, even without TLS. seconds: for one whole attempt: name resolution,
    connection and response. Response bodies are never read.
    """

    def __init__(self, *, loopback: bool, resolve: Resolve = resolve, seconds: float = SECONDS) -> None:
        self._loopback = loopback
        self._resolve = resolve
        self._seconds = seconds
        self._tls = ssl.create_default_context()

    def refusal(self, url: str) -> str | None:
        """Why this URL may not be called; None if it may. A host name that cannot be resolved is refused."""
        try:
            asyncio.run(self._within(self._addresses(url)))
        except NotAllowed as refusal:
            return str(refusal)
        except OSError:
            return "name_not_resolved"
        return None

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """One attempt; the host's addresses are tried in turn until one accepts the connection."""
        try:
            return asyncio.run(self._within(self._post(url, headers, body)))
        except NotAllowed as refusal:
            return Refused(str(refusal))
        except socket.gaierror:
            return Deferred("name_not_resolved")
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            return Deferred("receiver_tls" if _is_certificate(error) else "receiver_away")
        except (TimeoutError, httpx.TimeoutException):
            return Deferred("receiver_slow")
        except (httpx.HTTPError, httpx.InvalidURL, OSError):
            return Deferred("receiver_away")

    async def _within(self, work: Awaitable[T]) -> T:
        async with asyncio.timeout(self._seconds):
            return await work

    async def _addresses(self, url: str) -> list[str]:
        """The addresses of a URL's host, all of which must be allowed. Raises NotAllowed, OSError."""
        if cause := refusal_of_url(url, loopback=self._loopback):
            raise NotAllowed(cause)
        try:
            target = httpx.URL(url)
        except httpx.InvalidURL:
            raise NotAllowed("url_malformed") from None
        encrypted = target.scheme == "https"
        try:
            found = await self._resolve(target.host, target.port or (443 if encrypted else 80))
        except UnicodeError:
            raise NotAllowed("url_malformed") from None
        if not found or not all(may_be_reached(each, loopback=self._loopback, encrypted=encrypted) for each in found):
            raise NotAllowed("address_not_public")
        return found

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        addresses = await self._addresses(url)
        timeout = httpx.Timeout(self._seconds, connect=_CONNECT_SECONDS)
        async with httpx.AsyncClient(verify=self._tls, trust_env=False, timeout=timeout) as client:
            for address in addresses[:-1]:
                try:
                    return await self._call(client, url, address, headers, body)
                except (httpx.ConnectError, httpx.ConnectTimeout):
                    continue
            return await self._call(client, url, addresses[-1], headers, body)

    async def _call(
        self, client: httpx.AsyncClient, url: str, address: str, headers: Mapping[str, str], body: bytes
    ) -> Outcome:
        """Connects to this address; the host name stays in `Host` and in the certificate check."""
        target = httpx.URL(url)
        sent = {**headers, "host": target.netloc.decode("ascii"), "user-agent": "Jalons"}
        call = client.stream(
            "POST",
            target.copy_with(host=address),
            headers=sent,
            content=body,
            extensions={"sni_hostname": target.host},
            follow_redirects=False,
        )
        async with call as response:
            return outcome_of(response.status_code, response.headers.get("retry-after"), clock.now())


def _is_certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
