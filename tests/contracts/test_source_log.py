"""A source's log: the fake in memory and the real one over HTTP from PostgreSQL pass the same tests."""

from __future__ import annotations

import json
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Protocol

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine, insert, select, update

from jalons.clock import now
from jalons.database import transaction
from jalons.messaging.api import log_routes
from jalons.messaging.codec import opened, read
from jalons.messaging.outbox import Cause, Draft, Outbox
from jalons.messaging.partner_log import PartnerLog
from jalons.messaging.progress import mark_of
from jalons.messaging.source_log import Applied, HttpLog, LogUnavailable, SourceLog, digest_of
from jalons.messaging.tables import events
from jalons.privacy.aliases import alias
from jalons.privacy.cursors import Cursors
from jalons.privacy.keys import Keys
from jalons.privacy.own_ids import own_id
from jalons.web.application import application
from jalons.web.identity import Principal
from jalons.web.problems import Problem
from schemas.envelope import Event
from schemas.topics import DIRECTORY, PATHWAYS
from tests.support.events import SOURCE, MemorySource, person

KEY = b"k" * 32
TOPICS = (PATHWAYS, DIRECTORY)
KINDS = ("jalons.referral.received.v1", "jalons.referral.declined.v1")


class Source(Protocol):
    """A source under test, with its log."""

    log: SourceLog

    def write(self, subject: str, type_: str) -> Event:
        """The next event of a subject, written and sent."""

    def go_away(self) -> None:
        """Stop answering."""


class InMemory:
    """The fake that the tests of delivery use."""

    def __init__(self) -> None:
        self.log = MemorySource(topics=TOPICS)

    def write(self, subject: str, type_: str) -> Event:
        return opened(read(self.log.write(subject, type_).value), KEY)

    def go_away(self) -> None:
        self.log.away = True


class OverHttp:
    """A log in PostgreSQL behind the routes every service has."""

    def __init__(self, engine: Engine, url: str, stop: Callable[[], None]) -> None:
        self.engine = engine
        self.memory = MemorySource()
        self.outbox = Outbox("referrals", lambda _conn, subjects: dict.fromkeys(subjects, KEY))
        self.log = HttpLog(SOURCE, url, httpx.Client(timeout=5), Hub(), TOPICS)
        self.stop = stop

    def write(self, subject: str, type_: str, recorded: datetime | None = None) -> Event:
        said = self.memory.event(subject, type_)
        draft = Draft(subject, said.data, said.time, said.partner, Cause(said.correlation, said.causation), said.sealed)
        with transaction(self.engine) as conn:
            [event] = self.outbox.append(conn, [draft], recorded or now())
            conn.execute(update(events).where(events.c.position.is_(None)).values(position=events.c.appended))
        return event

    def go_away(self) -> None:
        self.stop()


class Hub:
    """The hub's own token, and the principals of tokens."""

    def token(self) -> str:
        return "hub"

    def principal(self, authorization: str | None) -> Principal:
        if authorization == "Bearer hub":
            return Principal("hub", None, frozenset({"hub"}))
        if authorization == "Bearer le-trusquin":
            return Principal("le-trusquin", "le-trusquin", frozenset({"partner"}))
        raise Problem(401, "unauthorised", "No token.", "Send one.")


@pytest.fixture(params=["in memory", "over HTTP"])
def source(request: pytest.FixtureRequest) -> Iterator[Source]:
    """The fake, then the real one."""
    if request.param == "in memory":
        yield InMemory()
        return
    database: Engine = request.getfixturevalue("database")
    app = application("referrals", "test", Hub(), dict, None)
    app.include_router(log_routes(read_by_partners(database)))
    with Served(app) as served:
        yield OverHttp(database, served.url, served.stop)


def read_by_partners(database: Engine) -> PartnerLog:
    """The log as partners read it, where no person's key is known."""
    return PartnerLog(
        database,
        Keys(lambda _: {}),
        alias=lambda ref, partner: alias(KEY, ref, partner),
        own=lambda known, reader: own_id(KEY, known, reader),
        cursors=Cursors("a secret for tests only", "log"),
        audit=None,
    )


class Served:
    """An application on a loopback port of its own."""

    def __init__(self, app: FastAPI) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]})

    def __enter__(self) -> Served:
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop answering."""
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()

    def __exit__(self, *_: Any) -> None:
        self.stop()


def test_a_subjects_events_after_a_number_come_in_order_and_whole(source: Source) -> None:
    anna, bela = person(), person()
    written = [source.write(who, KINDS[n % 2]) for n, who in enumerate((anna, bela, anna, anna, bela))]
    annas = [event for event in written if event.subject == anna]
    entries = source.log.after(anna, 0)
    assert [(entry.source, entry.subject, entry.sequence) for entry in entries] == [
        (SOURCE, anna, 1),
        (SOURCE, anna, 2),
        (SOURCE, anna, 3),
    ]
    assert [entry.id for entry in entries] == [event.id for event in annas]
    assert [opened(read(entry.value), KEY) for entry in entries] == annas, "sealed parts included"
    assert [entry.sequence for entry in source.log.after(anna, 1)] == [2, 3]
    assert source.log.after(anna, 3) == []


def test_of_a_subject_nobody_wrote_about_there_is_nothing(source: Source) -> None:
    source.write(person(), KINDS[0])
    assert source.log.after(person(), 0) == []
    assert source.log.after("auxiliaire-de-soins & co/?", 0) == []


def test_what_comes_after_is_given_whole_however_much_it_is(source: Source) -> None:
    anna = person()
    for _ in range(1, 14):
        source.write(anna, KINDS[0])
    if isinstance(source, OverHttp):
        _multiplied(source, anna, 1005)
    entries = source.log.after(anna, 5)
    assert [entry.sequence for entry in entries] == list(range(6, entries[-1].sequence + 1))
    assert len(entries) == (1000 if isinstance(source, OverHttp) else 8), "pages that end on their edge, too"


def test_heads_say_how_far_each_subject_has_come_by_position(source: Source) -> None:
    anna, bela, cleo = (person() for _ in range(3))
    for who in (anna, bela, anna, cleo, bela, anna):
        source.write(who, KINDS[0])
    heads = source.log.heads(0)
    assert [(head.subject, head.sequence) for head in heads] == [(cleo, 1), (bela, 2), (anna, 3)]
    positions = [head.position for head in heads]
    assert positions == sorted(set(positions))
    assert [head.subject for head in source.log.heads(positions[0])] == [bela, anna]
    assert [head.subject for head in source.log.heads(positions[1])] == [anna]
    assert source.log.heads(positions[2]) == []
    source.write(cleo, KINDS[0])
    [moved] = source.log.heads(positions[2])
    assert (moved.subject, moved.sequence) == (cleo, 2)
    assert moved.position > positions[2]


def test_what_was_applied_is_compared_by_number_and_id(source: Source) -> None:
    anna, bela, cleo, dora = (person() for _ in range(4))
    written = [source.write(who, KINDS[0]) for who in (anna, anna, bela, bela)]
    first, second, third, _fourth = (mark_of(event.id) for event in written)
    other = mark_of(uuid.uuid4())
    applied = [
        Applied(anna, 2, digest_of(first + second)),
        Applied(bela, 1, digest_of(third)),
        Applied(cleo, 1, digest_of(other)),
    ]
    assert source.log.differing(applied) == [cleo], "nothing was ever written of it"
    wrong = [Applied(anna, 2, digest_of(first + other)), Applied(bela, 3, digest_of(third + other + other))]
    assert source.log.differing([*wrong, Applied(dora, 1, digest_of(first))]) == [anna, bela, dora]
    assert source.log.differing([]) == []


def test_an_empty_log_has_no_heads(source: Source) -> None:
    assert source.log.heads(0) == []


def test_a_source_that_is_away_says_so_and_is_asked_again(source: Source) -> None:
    anna = person()
    source.write(anna, KINDS[0])
    source.go_away()
    asked = [Applied(anna, 1, digest_of(b""))]
    for ask in (lambda: source.log.after(anna, 0), lambda: source.log.heads(0), lambda: source.log.differing(asked)):
        with pytest.raises(LogUnavailable):
            ask()


def test_subjects_of_topics_that_are_not_followed_are_no_heads(source: Source) -> None:
    anna, letter = person(), person()
    source.write(letter, "jalons.dead_letter.set_aside.v1")
    source.write(anna, KINDS[0])
    assert [head.subject for head in source.log.heads(0)] == [anna]
    assert [entry.sequence for entry in source.log.after(letter, 0)] == [1], "its events can still be fetched"


def test_an_event_recorded_later_but_sent_earlier_is_not_passed_over(database: Engine) -> None:
    """`recorded` is read before locks are waited for: the log's order is its positions', not its times'."""
    app = application("referrals", "test", Hub(), dict, None)
    app.include_router(log_routes(read_by_partners(database)))
    with Served(app) as served:
        source = OverHttp(database, served.url, served.stop)
        anna, bela = person(), person()
        source.write(anna, KINDS[0], recorded=now())
        source.write(bela, KINDS[0], recorded=now() - timedelta(hours=1))
        heads = source.log.heads(0)
        assert [(head.subject, head.position) for head in heads] == [(anna, 1), (bela, 2)]


def test_an_event_not_sent_yet_fills_a_gap_and_is_no_head(database: Engine) -> None:
    app = application("referrals", "test", Hub(), dict, None)
    app.include_router(log_routes(read_by_partners(database)))
    with Served(app) as served:
        source, anna = OverHttp(database, served.url, served.stop), person()
        source.write(anna, KINDS[0])
        with transaction(database) as conn:
            conn.execute(update(events).values(position=None))
        assert [entry.sequence for entry in source.log.after(anna, 0)] == [1]
        assert source.log.heads(0) == []


def test_a_reader_whose_keys_cannot_be_had_is_told_to_come_again(database: Engine) -> None:
    app = application("referrals", "test", Hub(), dict, None)
    app.include_router(log_routes(read_by_partners(database)))
    with Served(app) as served:
        OverHttp(database, served.url, served.stop).write(person(), KINDS[1])
        answer = httpx.get(f"{served.url}/events", headers={"Authorization": "Bearer le-trusquin"})
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert answer.headers["retry-after"]


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(401, json={"code": "unauthorised"}),
        httpx.Response(500),
        httpx.Response(503, json={"code": "unavailable"}),
        httpx.Response(200, content=b"<html>a proxy's page</html>"),
        httpx.Response(302, headers={"location": "https://login.example"}),
    ],
    ids=["no token", "failed", "busy", "not JSON", "elsewhere"],
)
def test_whatever_else_answers_in_its_place_is_no_log(answer: httpx.Response) -> None:
    log = HttpLog(SOURCE, "http://hub", httpx.Client(transport=httpx.MockTransport(lambda _: answer)), Hub())
    with pytest.raises(LogUnavailable) as said:
        log.after("a person's ref", 0)
    assert "a person's ref" not in str(said.value)
    with pytest.raises(LogUnavailable):
        log.heads(0)


def test_an_event_of_a_later_version_keeps_its_place_in_the_numbering() -> None:
    anna, id_ = person(), uuid.uuid4()
    item = {"id": str(id_), "type": "jalons.referral.sung.v9", "subject": anna, "sequence": "4", "data": {}}
    page = httpx.MockTransport(lambda _: httpx.Response(200, json={"items": [item], "next": None}))
    [entry] = HttpLog(SOURCE, "http://hub", httpx.Client(transport=page), Hub()).after(anna, 3)
    assert (entry.source, entry.subject, entry.sequence, entry.id) == (SOURCE, anna, 4, id_)
    assert json.loads(entry.value) == item


def _multiplied(source: OverHttp, subject: str, most: int) -> None:
    """Copy a subject's newest event up to a sequence."""
    with transaction(source.engine) as conn:
        newest = conn.execute(
            select(events).where(events.c.subject == subject).order_by(events.c.sequence.desc()).limit(1)
        ).one()
        said = json.loads(newest.value)
        rows = []
        for sequence in range(newest.sequence + 1, most + 1):
            id_ = uuid.uuid4()
            value = json.dumps(said | {"sequence": str(sequence), "id": str(id_)}).encode()
            rows.append(
                {"subject": subject, "sequence": sequence, "id": id_, "type": newest.type, "topic": newest.topic}
                | {"recorded": newest.recorded, "value": value}
            )
        conn.execute(insert(events), rows)
