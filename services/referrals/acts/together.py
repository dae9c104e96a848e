"""Referrals that wait at the same moment are sent in one commit: what one costs falls as their number rises."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anyio.to_thread import run_sync
from fastapi.responses import JSONResponse

from jalons.web.problems import Problem
from services.referrals.acts.commands import send_referral
from services.referrals.acts.sheets import made
from services.referrals.calls.edge import Answer, Apart, Edge
from services.referrals.persons.commands import ask_for
from services.referrals.work import Call, Work

MOST = 20
"""Sent in one commit; the caller waits for no more than these."""
COMMITS = 2
"""So often those who wait together are sent together: once more after one of them was refused."""
PATIENCE_SECONDS = 0.015
"""While a commit is under way calls gather; after so long the next begins beside it, whatever holds the first."""
RETURN_SECONDS = 0.005
"""Who was answered with others probably calls again at once: those who did wait for the rest, so long at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """A call to send a referral. answer: what it awaits, in the loop that serves it."""

    call: Call
    given: Mapping[str, Any]
    answer: asyncio.Future[JSONResponse]

    @property
    def key(self) -> tuple[str, str | None]:
        """Whose key; two of one are never in one commit."""
        return self.call.principal.client_id, self.call.key

    def __call__(self, work: Work) -> Answer:
        """The command."""
        return made(work, send_referral(work, self.given))


class Together:
    """The referrals that wait. A lone one goes at once. Of several, one that is refused spoils the
    commit: it is then sent for itself, the others in another. expected: how many the latest commit, and the wait for
    it, brought together; a lone caller expects nobody."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._waiting: list[Waiting] = []
        self._latest: list[Waiting] | None = None
        self._expected = 0
        self._waited_for: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, call: Call, given: Mapping[str, Any]) -> JSONResponse:
        """Send one; its answer. Raises Problem."""
        one = Waiting(call, given, asyncio.get_running_loop().create_future())
        self._waiting.append(one)
        self._begin_when_all_are_here()
        return await one.answer

    def _begin_when_all_are_here(self) -> None:
        """Send those that wait, unless the latest commit is to be waited for, or more of them for a moment."""
        if self._latest is not None or not self._waiting:
            return
        if len(self._waiting) >= self._expected:
            self._begin()
        elif self._waited_for is None:
            self._waited_for = asyncio.get_running_loop().call_later(RETURN_SECONDS, self._begin)

    def _begin(self) -> None:
        """Send those that wait."""
        if self._waited_for is not None:
            self._waited_for.cancel()
            self._waited_for = None
        first: dict[tuple[str, str | None], Waiting] = {}
        for one in self._waiting[:MOST]:
            first.setdefault(one.key, one)
        batch = self._latest = list(first.values())
        self._waiting = [one for one in self._waiting if one not in batch]
        loop = asyncio.get_running_loop()
        loop.call_later(PATIENCE_SECONDS, self._go_on, batch)
        task = loop.create_task(self._send(batch))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _go_on(self, batch: list[Waiting]) -> None:
        """Nobody waits for that commit any longer: it is done, or it hangs."""
        if self._latest is batch:
            self._latest = None
            self._expected = min(len(batch) + len(self._waiting), MOST)
            self._begin_when_all_are_here()

    async def _send(self, batch: list[Waiting]) -> None:
        """In one commit; if that fails, in another without those it failed for; and then whoever is left alone."""
        alone: list[Waiting] = []
        together = batch
        try:
            for _ in range(COMMITS):
                if len(together) > 1:
                    apart = await self._commit(together)
                    alone += apart
                    together = [one for one in together if one not in apart] if apart else []
            await asyncio.gather(*map(self._alone, alone + together))
        finally:
            self._go_on(batch)

    async def _commit(self, batch: list[Waiting]) -> list[Waiting]:
        """Send these in one commit. Who is to be sent apart: nobody once it is done, all where it is not known whom it
        failed for."""
        answers: Sequence[JSONResponse | Exception]
        try:
            answers = await run_sync(self._all, batch)
        except Apart as found:
            return [one for one in batch if one.call.id in found.calls]
        except Problem:
            return batch
        except Exception as error:  # noqa: BLE001 - each of them is told
            answers = [error] * len(batch)
        for one, answer in zip(batch, answers, strict=True):
            _settle(one, answer)
        return []

    def _all(self, batch: Sequence[Waiting]) -> list[JSONResponse]:
        def prepare(work: Work) -> None:
            ask_for(work, [(one.call.partner, one.given) for one in batch])

        return self._edge.together([(one.call, one) for one in batch], prepare)

    async def _alone(self, one: Waiting) -> None:
        try:
            _settle(one, (await run_sync(self._all, [one]))[0])
        except Exception as error:  # noqa: BLE001 - raised in the call that waits
            _settle(one, error)


def _settle(one: Waiting, answer: JSONResponse | Exception) -> None:
    """A caller who left meanwhile is told nothing; what was sent is sent."""
    if one.answer.done():
        return
    if isinstance(answer, Exception):
        one.answer.set_exception(answer)
    else:
        one.answer.set_result(answer)
