"""One call is one transaction: the caller is known, a key is used once, and a refusal leaves nothing written."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Awaitable, Callable
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
from jalons.privacy.own_ids import reader_of
from jalons.process.wiring import Ground
from jalons.web import asked, texts
from jalons.web.application import actor_of, kept_header
from jalons.web.demands import Demand, demanding
from jalons.web.identity import Principal, Verifier, forbidden
from jalons.web.problems import Problem
from services.referrals.calls import idempotency
from services.referrals.calls.idempotency import Forgotten, Once, Stored, stored_key
from services.referrals.persons.keys import PersonKeys
from services.referrals.refusals import REFUSALS
from services.referrals.work import Call, Hub, Work

T = TypeVar("T")

_TRACE_PARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
"""W3C Trace Context. Any other value is dropped: it would be free text that every event carries on."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command returns. secret: shown in this answer and never stored. version: becomes the ETag. thing: the id
    of what it is about, if that is of a person: a repeated call is shown it as it may be shown then."""

    body: dict[str, Any]
    status: int = 200
    secret: dict[str, Any] = field(default_factory=dict)
    version: int | None = None
    thing: UUID | None = None


Again = Callable[[Connection, UUID], Answer | None]
"""(connection, `thing` of the answer) → the answer to a repeated call; None if its person was erased."""


def call(*scopes: str, keyed: bool = False) -> Callable[[Request], Awaitable[Call]]:
    """A dependency that makes the Call of a caller with one of these scopes. keyed: an Idempotency-Key is required.

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
        trace = request.headers.get("traceparent", "")
        return Call(
            id=new_id(),
            principal=principal,
            now=now(),
            key=key,
            if_match=request.headers.get("if-match"),
            traceparent=trace if _TRACE_PARENT.fullmatch(trace) else None,
            request=await _fingerprint(request) if key else b"",
            actor=actor_of(request),
        )

    return demanding(known, Demand(scopes, keyed, actor=True))


Command = Callable[[Work], Answer]


@dataclass(frozen=True)
class Edge:
    """Runs each call in one transaction and turns refusals into problems."""

    ground: Ground
    keys: PersonKeys

    @property
    def hub(self) -> Hub:
        """What commands record events with."""
        return Hub.of(self.ground, self.keys)

    def __call__(self, call: Call, command: Command, again: Again | None = None) -> JSONResponse:
        """Run a command. A call repeated under its Idempotency-Key gets the same status. again: shows what the command
        made as it may be shown now, and 410 once its person is erased; without it the stored answer is given.

        Raises Problem, with nothing written.
        """
        try:
            return transact(self.ground.engine, lambda conn: self._once(conn, call, command, again))
        except tuple(REFUSALS) as error:
            raise REFUSALS[type(error)](error) from None

    def read(self, read: Callable[[Connection], Answer], by: Call | None = None) -> JSONResponse:
        """Answer a read. See `query`."""
        answer = self.query(read, by)
        return _response(_plain(answer.body), answer.status, answer.version)

    def query(self, read: Callable[[Connection], T], by: Call | None = None) -> T:
        """Read in one transaction, with an audit line for each person read. by: the call that reads.

        Raises Problem; and LookupError, with nothing returned, if it reads a person and `by` is not given.
        """

        def audited(conn: Connection) -> T:
            with audit.noting(conn) as seen:
                answer = read(conn)
            if seen and by is None:
                raise LookupError("a person was read, and the route names no caller")
            if by is not None:
                self.ground.audit.write(conn, by.caller, seen)
            return answer

        try:
            return transact(self.ground.engine, audited)
        except tuple(REFUSALS) as error:
            raise REFUSALS[type(error)](error) from None

    def _once(self, conn: Connection, call: Call, command: Command, again: Again | None) -> JSONResponse:
        once = Once(call.principal.client_id, stored_key(call.key), call.request) if call.key else None
        if once and (stored := idempotency.begin(conn, once)):
            return self._repeated(conn, call, stored, again)
        work = Work(conn, call, self.hub)
        with audit.noting(conn) as seen:
            answer = command(work)
        work.append(seen)
        body = _plain(answer.body)
        if once:
            marked = body | ({"secret_already_shown": True} if answer.secret else {})
            if answer.thing is not None:
                marked = {"id": str(answer.thing), "version": answer.version}
            idempotency.keep(conn, once, Stored(answer.status, call.id, marked), call.now)
        return _response({**body, **answer.secret}, answer.status, answer.version, self._shown_call(call, call.id))

    def _repeated(self, conn: Connection, call: Call, stored: Stored, again: Again | None) -> JSONResponse:
        """The answer to a repeated call; what it shows of a person is a read, and audited. Raises Forgotten."""
        if stored.answer.get("erased"):
            raise Forgotten
        body, version = stored.answer, stored.answer.get("version")
        if again is not None:
            with audit.noting(conn) as seen:
                answer = again(conn, UUID(stored.answer["id"]))
            if answer is None:
                raise Forgotten
            self.ground.audit.write(conn, call.caller, seen)
            body, version = _plain(answer.body), answer.version
        return _response(body, stored.status, version, self._shown_call(call, stored.call_id))

    def _shown_call(self, call: Call, call_id: UUID) -> UUID:
        """A call's id as its caller sees it, also in the audit and as `correlationid`."""
        return self.ground.own(call_id, reader_of(call.principal))


def _response(body: dict[str, Any], status: int, version: int | None, call_id: UUID | None = None) -> JSONResponse:
    headers = {"Jalons-Call": str(call_id)} if call_id else {}
    if version is not None:
        headers["ETag"] = f'"{version}"'
    said = [{**each, "note": texts.field(each["code"], asked.language(), **each)} for each in asked.notes()]
    return JSONResponse({**body, "notes": said} if said else body, status, headers)


def partner_of(principal: Principal) -> str:
    """The partner a caller acts for. Raises Problem 403 for the operator and the hub, who act for none."""
    if principal.partner is None:
        raise forbidden("partner")
    return principal.partner


def _plain(body: dict[str, Any]) -> dict[str, Any]:
    """An answer's body as JSON values: ids as text, instants and dates in RFC 3339."""
    found: dict[str, Any] = json.loads(json.dumps(body, default=_text))
    return found


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


async def _fingerprint(request: Request) -> bytes:
    return hashlib.sha256(
        b"\0".join([request.method.encode(), request.scope["path"].encode(), await request.body()])
    ).digest()
