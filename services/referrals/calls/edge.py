"""Where a call becomes one transaction: who calls, once only, all or nothing, and refusals become answers."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar
from uuid import UUID

from fastapi import Request
from fastapi.responses import JSONResponse
from sqlalchemy import Connection

from jalons.clock import new_id, now
from jalons.database import transact
from jalons.privacy import audit
from jalons.process.wiring import Ground
from jalons.web.application import ACTOR_MOST, kept_header
from jalons.web.demands import Demand, demanding
from jalons.web.identity import Principal, Verifier, forbidden
from jalons.web.problems import Problem
from services.referrals.calls import idempotency
from services.referrals.calls.idempotency import Once, OtherRequest, StillRunning, Stored
from services.referrals.keyring import PersonKeys
from services.referrals.refusals import REFUSALS
from services.referrals.work import Call, Work

T = TypeVar("T")

_REFUSED: tuple[type[Exception], ...] = (Problem, *REFUSALS)
_TRACE_PARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
"""W3C Trace Context; anything else would be free text that goes out with every event."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command comes to. secret: shown in this answer and never stored. version: makes the ETag."""

    body: dict[str, Any]
    status: int = 200
    secret: dict[str, Any] = field(default_factory=dict)
    version: int | None = None


def call(*scopes: str, keyed: bool = False) -> Callable[[Request], Awaitable[Call]]:
    """A dependency: the call, by a caller with one of these scopes. keyed: it creates, and must name its key.

    Raises Problem 400, 401, 403, 422.
    """

    async def known(request: Request) -> Call:
        verifier: Verifier = request.app.state.verifier
        principal = verifier.principal(request.headers.get("authorization"))
        if not principal.has(*scopes):
            raise forbidden(*scopes)
        key = kept_header(request, "idempotency-key", 200)
        if keyed and key is None:
            raise Problem(
                400,
                "idempotency_key_missing",
                "A call that creates must carry the header Idempotency-Key.",
                "Send any text that is new for each thing you create, and the same when you repeat the call.",
            )
        actor = kept_header(request, "jalons-actor", ACTOR_MOST)
        trace = request.headers.get("traceparent", "")
        return Call(
            id=new_id(),
            principal=principal,
            now=now(),
            key=key,
            if_match=request.headers.get("if-match"),
            traceparent=trace if _TRACE_PARENT.fullmatch(trace) else None,
            request=await _fingerprint(request) if key else b"",
            actor=actor,
        )

    return demanding(known, Demand(scopes, keyed, actor=True))


Command = Callable[[Work], Answer]
Prepare = Callable[[Work], None]
"""Asks at once for what several commands will need."""


@dataclass(frozen=True, slots=True)
class Done:
    """What is answered for a call: as it is kept, with what is shown once only."""

    stored: Stored
    secret: dict[str, Any] = field(default_factory=dict)
    version: int | None = None


class Apart(Exception):
    """Some of several calls are to be taken on by themselves: repeats, or one that is refused. calls: their ids."""

    def __init__(self, calls: Collection[UUID]) -> None:
        super().__init__(f"{len(calls)} calls")
        self.calls = calls


@dataclass(frozen=True)
class Edge:
    """Runs commands. A repeat of a key gets the stored answer; another request under it is refused."""

    ground: Ground
    keys: PersonKeys

    def __call__(self, call: Call, command: Command) -> JSONResponse:
        """One transaction. Raises Problem, with nothing written."""
        return self.together([(call, command)])[0]

    def together(self, asked: Sequence[tuple[Call, Command]], prepare: Prepare | None = None) -> list[JSONResponse]:
        """Several calls in one transaction, answered in their order. prepare: run once none is a repeat.

        asked: each key once. Raises Apart, or Problem where it is not known of which, if one of them is refused, with
        nothing written of any.
        """
        try:
            done = transact(self.ground.engine, lambda conn: self._run(conn, asked, prepare))
        except tuple(REFUSALS) as error:
            raise REFUSALS[type(error)](error) from None
        except StillRunning:
            raise Problem(
                409, "still_running", "The same Idempotency-Key is at work now.", "Repeat the call in a second."
            ) from None
        except OtherRequest:
            raise Problem(
                422,
                "idempotency_key_reused",
                "This Idempotency-Key was used for another request.",
                "Use a new key for a new thing; repeat a call with exactly the same body.",
            ) from None
        return [_answered(each) for each in done]

    def read(self, read: Callable[[Connection], Answer], by: Call | None = None) -> JSONResponse:
        """A read of one moment as an answer; see `look`."""
        answer = self.look(read, by)
        headers = {} if answer.version is None else {"ETag": f'"{answer.version}"'}
        return JSONResponse(_plain(answer.body), answer.status, headers)

    def look(self, read: Callable[[Connection], T], by: Call | None = None) -> T:
        """A read of one moment, with its lines in the audit. by: who reads; what shows a person must say it.

        Raises LookupError, with nothing shown, if a person was read by nobody.
        """

        def read_and_noted(conn: Connection) -> T:
            with audit.noting(conn) as seen:
                answer = read(conn)
            if seen and by is None:
                raise LookupError("a person was read, and the route does not say by whom")
            if by is not None:
                self.ground.audit.write(conn, by.caller, seen)
            return answer

        return transact(self.ground.engine, read_and_noted)

    def _run(self, conn: Connection, asked: Sequence[tuple[Call, Command]], prepare: Prepare | None) -> list[Done]:
        keyed = {call.id: Once(call.principal.client_id, call.key, call.request) for call, _ in asked if call.key}
        kept = dict(zip(keyed, idempotency.begin(conn, list(keyed.values())), strict=True)) if keyed else {}
        repeats = [call_id for call_id, stored in kept.items() if stored]
        if repeats and len(asked) > 1:
            raise Apart(repeats)
        work = Work(conn, asked[0][0], self.ground.outbox, self.keys, self.ground.alias, self.ground.audit)
        done = []
        with audit.noting(conn) as seen:
            if prepare and not repeats:
                prepare(work)
            for call, command in asked:
                work.call, stored = call, kept.get(call.id)
                try:
                    done.append(_repeated(stored) if stored else _done(work, command(work), keyed.get(call.id)))
                except _REFUSED:
                    if len(asked) > 1:
                        raise Apart([call.id]) from None
                    raise
        work.append(seen)
        return done


def _repeated(stored: Stored) -> Done:
    """What the same call came to before."""
    return Done(stored, version=stored.answer.get("version"))


def _done(work: Work, answer: Answer, once: Once | None) -> Done:
    """What a command came to, kept with its key if it has one."""
    stored = Stored(answer.status, work.call.id, _plain(answer.body))
    if once:
        marked = stored.answer | ({"secret_already_shown": True} if answer.secret else {})
        idempotency.keep(work.rows, once, Stored(stored.status, work.call.id, marked), work.call.now)
    return Done(stored, answer.secret, answer.version)


def _answered(done: Done) -> JSONResponse:
    headers = {"Jalons-Call": str(done.stored.call_id)}
    if done.version is not None:
        headers["ETag"] = f'"{done.version}"'
    return JSONResponse({**done.stored.answer, **done.secret}, done.stored.status, headers)


def partner_of(principal: Principal) -> str:
    """The partner a caller acts for. Raises Problem 403 for the operator and the hub."""
    if principal.partner is None:
        raise forbidden("partner")
    return principal.partner


def _plain(body: dict[str, Any]) -> dict[str, Any]:
    """An answer as JSON values: ids as text, instants and dates in RFC 3339."""
    found: dict[str, Any] = json.loads(json.dumps(body, default=_text))
    return found


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


async def _fingerprint(request: Request) -> bytes:
    return hashlib.sha256(
        b"\0".join([request.method.encode(), request.scope["path"].encode(), await request.body()])
    ).digest()
