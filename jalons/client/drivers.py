"""The two ways to make the same calls: one blocks, one is awaited; neither decides anything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from contextlib import aclosing, closing
from types import TracebackType
from typing import Any, Self

import httpx
from httpx_sse import EventSource

from jalons.client.discretion import Discretion
from jalons.client.exchange import PATIENCE_SECONDS, Addresses, Answer, Call, Exchange, Pause, Reply, Send, answer_of
from jalons.client.nouns import Hub
from jalons.client.problems import Unreachable
from jalons.client.streaming import Resumable
from jalons.client.tables import Rows

TIMEOUT = httpx.Timeout(30, connect=5)


class _Blocking:
    """Calls made at once."""

    def __init__(self, exchange: Exchange, http: httpx.Client) -> None:
        self._exchange = exchange
        self._http = http

    def one(self, call: Call) -> Answer:
        return answer_of(self._reply(call))

    def many(self, call: Call) -> Iterator[Answer]:
        asked: Call | None = call
        while asked:
            page = self.one(asked)
            yield from map(Answer, page["items"])
            asked = asked.following(page)

    def rows(self, call: Call) -> Iterator[Answer]:
        rows = Rows()
        with closing(self._reply(call)) as reply:
            try:
                for part in reply.iter_text():
                    yield from rows.feed(part)
            except httpx.TransportError as error:
                raise Unreachable(call.service, error) from error

    def stream(self, call: Call) -> Iterator[Answer]:
        stream = Resumable(call)
        while True:
            try:
                with closing(self._reply(stream.call)) as reply:
                    for sent in EventSource(reply).iter_sse():
                        if event := stream.receive(sent):
                            yield event
            except httpx.TransportError:
                pass
            time.sleep(stream.pause)

    def _reply(self, call: Call) -> httpx.Response:
        steps = self._exchange.about(call)
        reply: Reply = None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration as end:
                found: httpx.Response = end.value
                return found
            reply = self._taken(step)

    def _taken(self, step: Send | Pause) -> Reply:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        try:
            reply = self._http.send(step.request, stream=step.streamed)
            if not reply.is_success:
                reply.read()
        except httpx.TransportError as error:
            return error
        return reply


class _Awaited:
    """Calls to be awaited."""

    def __init__(self, exchange: Exchange, http: httpx.AsyncClient) -> None:
        self._exchange = exchange
        self._http = http

    async def one(self, call: Call) -> Answer:
        return answer_of(await self._reply(call))

    async def many(self, call: Call) -> AsyncIterator[Answer]:
        asked: Call | None = call
        while asked:
            page = await self.one(asked)
            for item in page["items"]:
                yield Answer(item)
            asked = asked.following(page)

    async def rows(self, call: Call) -> AsyncIterator[Answer]:
        rows = Rows()
        async with aclosing(await self._reply(call)) as reply:
            try:
                async for part in reply.aiter_text():
                    for row in rows.feed(part):
                        yield row
            except httpx.TransportError as error:
                raise Unreachable(call.service, error) from error

    async def stream(self, call: Call) -> AsyncIterator[Answer]:
        stream = Resumable(call)
        while True:
            try:
                async with aclosing(await self._reply(stream.call)) as reply:
                    async for sent in EventSource(reply).aiter_sse():
                        if event := stream.receive(sent):
                            yield event
            except httpx.TransportError:
                pass
            await asyncio.sleep(stream.pause)

    async def _reply(self, call: Call) -> httpx.Response:
        steps = self._exchange.about(call)
        reply: Reply = None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration as end:
                found: httpx.Response = end.value
                return found
            reply = await self._taken(step)

    async def _taken(self, step: Send | Pause) -> Reply:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        try:
            reply = await self._http.send(step.request, stream=step.streamed)
            if not reply.is_success:
                await reply.aread()
        except httpx.TransportError as error:
            return error
        return reply


class Client(Hub[Answer, Iterator[Answer]]):
    """A client of the hub, for code that waits. Use it in `with`, or close it. Threads may share it.

    hub: its one public address, or the services' by name (what hub.json holds). patience: for how many seconds a call
    is repeated that the hub could not take on. http: an httpx client of your own (proxy, certificates), which you
    close yourself.
    """

    def __init__(
        self,
        hub: str | Mapping[str, Any],
        client_id: str,
        client_secret: str,
        *,
        patience: float = PATIENCE_SECONDS,
        http: httpx.Client | None = None,
    ) -> None:
        addresses = Addresses(hub)
        self._http = http or httpx.Client(timeout=TIMEOUT)
        self._is_own = http is None
        self._discretion = Discretion(addresses)
        self._discretion.begin()
        super().__init__(_Blocking(Exchange(addresses, client_id, client_secret, patience), self._http))

    def close(self) -> None:
        """Let connections go."""
        if self._is_own:
            self._http.close()
        self._discretion.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None) -> None:
        self.close()


class AsyncClient(Hub[Awaitable[Answer], AsyncIterator[Answer]]):
    """The same, for code that awaits: `await client.referrals.send(…)`, `async for … in client.referrals.list()`."""

    def __init__(
        self,
        hub: str | Mapping[str, Any],
        client_id: str,
        client_secret: str,
        *,
        patience: float = PATIENCE_SECONDS,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        addresses = Addresses(hub)
        self._http = http or httpx.AsyncClient(timeout=TIMEOUT)
        self._is_own = http is None
        self._discretion = Discretion(addresses)
        self._discretion.begin()
        super().__init__(_Awaited(Exchange(addresses, client_id, client_secret, patience), self._http))

    async def aclose(self) -> None:
        """Let connections go."""
        if self._is_own:
            await self._http.aclose()
        self._discretion.end()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        await self.aclose()
