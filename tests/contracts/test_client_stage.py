"""The stage for the stories of the Python client: both its ways to call, and partners that are built on it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from typing import Any

import psycopg
import pytest

from jalons import client as sdk
from jalons.client import nouns
from jalons.client.exchange import Exchange
from tests.support.between import Between, between
from tests.support.calls import sheet
from tests.support.network import Network

Hub = nouns.Hub[Any, Any]
SHORT = 3.0
"""A patience that a test can wait for."""


class Blocking:
    """Calls made at once."""

    def client(self, hub: str | Mapping[str, Any], client_id: str, secret: str, patience: float) -> sdk.Client:
        return sdk.Client(hub, client_id, secret, patience=patience)

    def one(self, answer: sdk.Answer) -> sdk.Answer:
        return answer

    def some(self, answers: Iterator[sdk.Answer], most: int | None) -> list[sdk.Answer]:
        return list(itertools.islice(answers, most))

    def close(self, client: sdk.Client) -> None:
        client.close()


class Awaited:
    """The same calls, awaited in a loop of the test's."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()

    def client(self, hub: str | Mapping[str, Any], client_id: str, secret: str, patience: float) -> sdk.AsyncClient:
        return sdk.AsyncClient(hub, client_id, secret, patience=patience)

    def one(self, answer: Awaitable[sdk.Answer]) -> sdk.Answer:
        async def awaited() -> sdk.Answer:
            return await answer

        return self.loop.run_until_complete(awaited())

    def some(self, answers: AsyncIterator[sdk.Answer], most: int | None) -> list[sdk.Answer]:
        async def collected() -> list[sdk.Answer]:
            found: list[sdk.Answer] = []
            while most is None or len(found) < most:
                try:
                    found.append(await anext(answers))
                except StopAsyncIteration:
                    break
            return found

        return self.loop.run_until_complete(collected())

    def close(self, client: sdk.AsyncClient) -> None:
        self.loop.run_until_complete(client.aclose())


@pytest.fixture(params=["blocking", "awaited"])
def way(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Both ways to make the same calls."""
    if request.param == "blocking":
        yield Blocking()
        return
    awaited = Awaited()
    yield awaited
    awaited.loop.run_until_complete(awaited.loop.shutdown_asyncgens())
    awaited.loop.close()


class Partner:
    """A partner's system built on the client."""

    def __init__(self, way: Any, hub: str | Mapping[str, Any], client_id: str, secret: str, patience: float) -> None:
        self.way = way
        self.hub: Hub = way.client(hub, client_id, secret, patience)

    def one(self, answer: Any) -> sdk.Answer:
        found: sdk.Answer = self.way.one(answer)
        return found

    def some(self, answers: Any, most: int | None = None) -> list[sdk.Answer]:
        found: list[sdk.Answer] = self.way.some(answers, most)
        return found

    def refer(self, **more: Any) -> sdk.Answer:
        return self.one(self.hub.referrals.send(**sheet(**more)))

    @property
    def exchange(self) -> Exchange:
        driver: Any = self.hub._do
        found: Exchange = driver._exchange
        return found


@pytest.fixture
def partner(way: Any, network: Network) -> Iterator[Any]:
    """A partner by its slug, at the hub or at another address."""
    made: list[Partner] = []

    def of(slug: str, hub: str | Mapping[str, Any] | None = None, patience: float = SHORT) -> Partner:
        known = network[slug]
        made.append(Partner(way, hub or network.info, known.client_id, known.client_secret, patience))
        return made[-1]

    yield of
    for each in made:
        way.close(each.hub)


@pytest.fixture
def hotton(partner: Any) -> Partner:
    found: Partner = partner("cpas-hotton")
    return found


@pytest.fixture
def trusquin(partner: Any) -> Partner:
    found: Partner = partner("le-trusquin")
    return found


@pytest.fixture
def before(network: Network) -> Iterator[Between]:
    """Something that stands before referrals."""
    with between(network.info["referrals"]) as standing:
        yield standing


def at(standing: Between, network: Network) -> dict[str, Any]:
    """The hub, with that before referrals."""
    return {**network.info, "referrals": standing.url}


def sent_to(network: Network, home: str) -> int:
    """How many referrals a partner has sent."""
    with psycopg.connect(network.info["database"]) as conn:
        row = conn.execute("SELECT count(*) FROM referrals.referrals WHERE referrer = %s", (home,)).fetchone()
    return int(row[0]) if row else 0
