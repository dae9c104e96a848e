"""How a Faust App asks the broker for events: rarely while nothing comes, and for some only a few times a second.

The one place that reaches into what Faust and aiokafka keep to themselves; `tests/services/test_consumer.py` fails if
it stops having effect.
"""

from __future__ import annotations

import asyncio
from typing import Any

import faust
from aiokafka.client import ConnectionGroup
from faust.transport.drivers import aiokafka

LONG_POLL_SECONDS = 5.0
"""So long the broker holds a question while it has no event; one that comes is answered at once. Faust asks for 1.5."""


def fetch(app: faust.App, pace_seconds: float) -> None:
    """Make an App that has no agent yet take events at most each `pace_seconds`; one that comes alone never waits."""
    app.transport = _Transport(app.conf.broker_consumer, app, pace_seconds)


class _Thread(aiokafka.AIOKafkaConsumerThread):  # type: ignore[misc]
    """The thread aiokafka runs in: takes what was fetched at a pace, and so lets the next fetch gather."""

    _taken = float("-inf")

    async def getmany(self, active_partitions: Any, timeout: float) -> Any:  # noqa: ASYNC109 - Faust's signature
        """What was fetched since it was last asked, by partition; called by Faust's own loop."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._taken + self.transport.pace - loop.time())
        if not self.consumer._buffered_partitions:  # else it must look again whether the stream has room for theirs
            timeout = LONG_POLL_SECONDS  # not a second: both threads would wake for nothing
        found = await super().getmany(active_partitions, timeout)
        if found:
            self._taken = loop.time()
        return found

    async def on_start(self) -> None:
        """Build the consumer as Faust does, and then tell its fetcher what Faust has no settings for."""
        await super().on_start()
        fetcher = self._consumer._fetcher
        fetcher._fetch_max_wait_ms = int(LONG_POLL_SECONDS * 1000)
        fetcher._fetcher_timeout = LONG_POLL_SECONDS  # else it looks for something to do five times a second
        fetcher._prefetch_backoff = max(fetcher._prefetch_backoff, self.transport.pace)

    async def on_partitions_assigned(self, assigned: Any, generation_id: int = 0) -> None:
        """Hang up first: the broker still holds the question for the former partitions, and would answer what is asked
        next on that connection only afterwards."""
        for (_, group), connection in self._consumer._client._conns.items():
            if group == ConnectionGroup.DEFAULT:
                connection.close()
        await super().on_partitions_assigned(assigned, generation_id)


class _Consumer(aiokafka.Consumer):  # type: ignore[misc]
    def _new_consumer_thread(self) -> _Thread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)


class _Transport(aiokafka.Transport):  # type: ignore[misc]
    Consumer = _Consumer

    def __init__(self, url: Any, app: faust.App, pace: float) -> None:
        super().__init__(url, app)
        self.pace = pace
