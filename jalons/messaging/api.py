"""Routes of every service: its log, for partners and for the hub, and its dead letters, for the operator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import BigInteger, Connection, Engine, Text, func, select

from jalons.database import BIGINT_MOST, array_rows, as_arrays, transaction
from jalons.messaging import dead_letters, generation
from jalons.messaging.deliver import Deliver
from jalons.messaging.partner_log import PartnerLog
from jalons.messaging.progress import mark_of
from jalons.messaging.source_log import COMPARED_MOST, digest_of
from jalons.messaging.tables import events as log
from jalons.web.application import Actor
from jalons.web.identity import Principal, forbidden, require
from jalons.web.problems import Problem, unknown_position

Caller = Annotated[Principal, Depends(require("partner", "coordinator", "hub"))]
Operator = Annotated[Principal, Depends(require("operator"))]
Hub = Annotated[Principal, Depends(require("hub"))]
Limit = Annotated[int, Query(ge=1, le=1000)]
HEADS_PAGE = 1000
"""Events, not subjects."""

_ASKED = array_rows(subject=Text, sequence=BigInteger)


class AppliedBody(BaseModel):
    """What a follower has applied of a subject: up to which sequence, and the digest of the ids."""

    model_config = ConfigDict(extra="forbid")

    subject: str = Field(max_length=100)
    sequence: int = Field(ge=1, le=BIGINT_MOST)
    digest: str = Field(pattern="^[0-9a-f]{64}$")


class CompareBody(BaseModel):
    """`POST /events/compare`."""

    model_config = ConfigDict(extra="forbid")

    subjects: list[AppliedBody] = Field(max_length=COMPARED_MOST)


_COMPARED = {
    "subjects": [{"subject": "3f8a1c52-6d0e-4b7a-9c21-5e4d7f60a913", "sequence": 4, "digest": digest_of(b"\0" * 16)}]
}


def log_routes(shown: PartnerLog) -> APIRouter:
    """`GET /events`: cut to what a partner or the coordinator may see; for the hub whole, by position or subject."""
    routes = APIRouter(tags=["log"])
    engine = shown.engine

    @routes.get("/events", summary="This service's log, cut to what the caller may see")
    def events(
        caller: Caller,
        by: Actor,
        after: Annotated[
            str | None,
            Query(
                max_length=generation.CURSOR_MOST,
                description="`next` of the page before, or the `cursor` of an event: what follows is returned. Without "
                "it the log from its beginning. With scope hub a position.",
            ),
        ] = None,
        limit: Limit = 100,
        subject: Annotated[str | None, Query(max_length=100, description="one subject's events (scope hub)")] = None,
        after_sequence: Annotated[int, Query(ge=0, le=BIGINT_MOST)] = 0,
    ) -> Response:
        if caller.has("hub"):
            if subject is not None:
                return _whole(_of_subject(engine, subject, after_sequence, limit), limit)
            position = _position(after)
            rows = _by_position(engine, position, limit)
            if position and not rows:
                _check_position(engine, position)
            return _whole(rows, limit)
        if subject is not None:
            raise forbidden("hub")
        return JSONResponse(shown.page(caller, by, after, limit))

    @routes.get("/events/heads", summary="The newest sequence of each subject (scope hub)")
    def heads(
        _caller: Hub,
        after: Annotated[
            int, Query(ge=0, le=BIGINT_MOST, description="a position; the events after it are compared")
        ] = 0,
        topic: Annotated[list[str], Query(max_length=10, description="only events of these topics")] = [],  # noqa: B006
    ) -> dict[str, Any]:
        with transaction(engine) as conn:
            return {"items": _heads(conn, after, topic)}

    @routes.post(
        "/events/compare",
        summary="Of which subjects a follower applied what is not in this log (scope hub)",
        openapi_extra={"requestBody": {"content": {"application/json": {"example": _COMPARED}}}},
    )
    def compare(body: CompareBody, _caller: Hub) -> dict[str, Any]:
        with transaction(engine) as conn:
            return {"differ": _differing(conn, body.subjects)}

    return routes


def _differing(conn: Connection, applied: Sequence[AppliedBody]) -> list[str]:
    """One read of the ids of all these subjects."""
    marks: dict[str, bytearray] = {each.subject: bytearray() for each in applied}
    asked = _ASKED.c
    ids = (
        select(log.c.subject, log.c.id)
        .join(_ASKED, (log.c.subject == asked.subject) & (log.c.sequence <= asked.sequence))
        .order_by(log.c.subject, log.c.sequence)
    )
    rows = [{"subject": each.subject, "sequence": each.sequence} for each in applied]
    for row in conn.execute(ids, as_arrays(rows)) if rows else ():
        marks[row.subject] += mark_of(row.id)
    return [each.subject for each in applied if digest_of(bytes(marks[each.subject])) != each.digest]


def _position(text: str | None) -> int:
    """A position as the hub names it. Raises Problem 422."""
    place = int(text) if text and text.isascii() and text.isdecimal() else 0 if text is None else -1
    if not 0 <= place <= BIGINT_MOST:
        raise Problem(422, "invalid_cursor", "`after` is not a position.", "Give the last position you have read.")
    return place


def _by_position(engine: Engine, after: int, limit: int) -> list[tuple[int, bytes]]:
    query = select(log.c.position, log.c.value).where(log.c.position > after).order_by(log.c.position).limit(limit)
    with transaction(engine) as conn:
        return [(row.position, row.value) for row in conn.execute(query)]


def _check_position(engine: Engine, after: int) -> None:
    """Raise Problem 422 for a position beyond the log's end."""
    with transaction(engine) as conn:
        newest = conn.execute(select(func.coalesce(func.max(log.c.position), 0))).scalar_one()
    if after > newest:
        raise unknown_position(newest)


def _of_subject(engine: Engine, subject: str, after: int, limit: int) -> list[tuple[int, bytes]]:
    query = select(log.c.sequence, log.c.value).where(log.c.subject == subject, log.c.sequence > after)
    with transaction(engine) as conn:
        return [(row.sequence, row.value) for row in conn.execute(query.order_by(log.c.sequence).limit(limit))]


def _heads(conn: Connection, after: int, topics: Sequence[str]) -> list[dict[str, Any]]:
    """By position alone: the relay gives positions in order, so none appears late."""
    events = select(log.c.subject, log.c.sequence, log.c.position).where(log.c.position > after)
    if topics:
        events = events.where(log.c.topic.in_(topics))
    page = events.order_by(log.c.position).limit(HEADS_PAGE).subquery()
    newest = func.max(page.c.position)
    heads = select(page.c.subject, func.max(page.c.sequence).label("sequence"), newest.label("position"))
    return [dict(row) for row in conn.execute(heads.group_by(page.c.subject).order_by(newest)).mappings()]


def _whole(rows: list[tuple[int, bytes]], limit: int) -> Response:
    """The stored bytes, joined to a JSON list without being decoded."""
    following = str(rows[-1][0]).encode() if len(rows) == limit else b"null"
    body = b'{"items":[' + b",".join(value for _, value in rows) + b'],"next":' + following + b"}"
    return Response(body, media_type="application/json")


def dead_letter_routes(engine: Engine, deliver: Deliver | None) -> APIRouter:
    """`GET /dead-letters` and their retry. deliver: None in a service that consumes nothing."""
    routes = APIRouter(tags=["operation"])

    @routes.get("/dead-letters", summary="Events set aside or parked (scope operator)")
    def listed(_caller: Operator, resolved: bool = False, limit: Limit = 200) -> dict[str, Any]:
        with transaction(engine) as conn:
            letters = dead_letters.listed(conn, unresolved=not resolved, limit=limit + 1)
        return {"items": [_shown(letter) for letter in letters[:limit]], "more": len(letters) > limit}

    @routes.get("/dead-letters/{letter_id}", summary="One dead letter (scope operator)")
    def one(_caller: Operator, letter_id: UUID) -> dict[str, Any]:
        with transaction(engine) as conn:
            letter = dead_letters.find(conn, letter_id)
        if letter is None:
            raise _unknown()
        return _shown(letter)

    @routes.post(
        "/dead-letters/{letter_id}/retry",
        summary="Try it again, then what waits behind it; `mended` only if it was applied now (scope operator)",
    )
    def retry(_caller: Operator, letter_id: UUID) -> dict[str, Any]:
        if deliver is None:
            raise _unknown()
        try:
            why = deliver.retry(letter_id)
        except LookupError:
            raise _unknown() from None
        with transaction(engine) as conn:
            letter = dead_letters.find(conn, letter_id)
        resolved = letter is None or letter.resolved is not None
        return {"id": str(letter_id), "mended": why is None, "resolved": resolved, "reason": why}

    return routes


def _unknown() -> Problem:
    return Problem(404, "not_found", "There is no open dead letter of that id here.", "List them: GET /dead-letters.")


def _shown(letter: dead_letters.DeadLetter) -> dict[str, Any]:
    return {
        "id": str(letter.id),
        "kind": letter.kind,
        "topic": letter.place.topic,
        "partition": letter.place.partition,
        "offset": letter.place.offset,
        "source": letter.source,
        "subject": letter.subject,
        "sequence": letter.sequence,
        "type": letter.type,
        "reason": letter.reason,
        "at": letter.at.isoformat(),
        "attempts": letter.attempts,
        "waiting": letter.waiting,
        "resolved": letter.resolved.isoformat() if letter.resolved else None,
    }
