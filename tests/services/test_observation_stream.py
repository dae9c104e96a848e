"""The stream on a real PostgreSQL and a real socket: it misses nothing, audits what it shows, and ends in time."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import Any

import httpx
import psycopg
import pytest
import uvicorn
from sqlalchemy import Connection, Engine

from jalons.database import transaction
from jalons.messaging import generation
from jalons.privacy.cursors import Cursors
from schemas.envelope import Event
from services.observation.stream import http as streaming
from services.observation.stream import rows as stream_rows
from services.observation.stream import tail as tails
from tests.services.test_observation_stage import (
    REFERRALS,
    SECRET,
    Person,
    alias_of,
    apply,
    built,
    claim_and_apply,
    stream_events,
)
from tests.support.parts import at_work
from tests.support.sql import execute

CURSORS = Cursors(SECRET, "observation stream")
pytest_plugins = ["tests.services.test_observation_stage"]


def test_a_position_never_becomes_visible_after_a_later_one(engine: Engine) -> None:
    slow, quick = Person().bilan(), Person(home="cpas-erezee").bilan()  # no count in common to wait for
    with engine.connect() as first:
        going = first.begin()
        claim_and_apply(first, slow)
        second = threading.Thread(target=apply, args=(engine, quick))
        second.start()
        second.join(0.5)
        seen = stream_events(engine)
        assert second.is_alive(), "the second may not commit its positions before the first"
        assert seen == []
        going.commit()
    second.join(10)
    positions = [position for position, _ in stream_events(engine)]
    assert positions == list(range(1, 19))
    assert [e.id for _, e in stream_events(engine) if e.source == REFERRALS] == [e.id for e in slow + quick]


def test_a_reader_misses_nothing_of_many_concurrent_writers(engine: Engine) -> None:
    people = [Person() for _ in range(24)]

    def write(mine: list[Person]) -> None:
        for person in mine:
            for event in person.bilan():
                apply(engine, [event])

    writers = [threading.Thread(target=write, args=(people[n::4],)) for n in range(4)]
    for writer in writers:
        writer.start()
    read_so_far: list[tuple[int, Event]] = []
    upto = 0
    until = time.monotonic() + 60
    while time.monotonic() < until and (any(w.is_alive() for w in writers) or upto < _head(engine)):
        with engine.begin() as conn:
            entries, upto = stream_rows.page(conn, upto, 50)
        read_so_far += entries
    assert [position for position, _ in read_so_far] == list(range(1, 24 * 9 + 1))
    assert len({e.id for _, e in read_so_far}) == 24 * 9


def _head(engine: Engine) -> int:
    with engine.begin() as conn:
        return stream_rows.head(conn)


@contextmanager
def running(postgres: str) -> Iterator[str]:
    """The service's HTTP and its tail on a real socket."""
    service = built(postgres)
    tail = at_work(service.parts["tail"])
    server = uvicorn.Server(uvicorn.Config(service.app, port=0, lifespan="off", log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        tail.stop()
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive(), "open streams must end when the service stops"


@contextmanager
def reading(url: str, who: str, **more: Any) -> Iterator[Iterator[dict[str, Any]]]:
    """A stream's events as {id, event, data}."""
    headers = {"Authorization": f"Bearer {who}", **more.pop("headers", {})}
    with httpx.stream("GET", f"{url}/stream", params=more, headers=headers, timeout=20) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield _events(answer.iter_lines(), "integra-plus" if who == "coordinator" else who)


def place(cursor: str, reader: str) -> int:
    """The position that a cursor seals."""
    return CURSORS.read(cursor, reader)[1]


def cursor(engine: Engine, position: int, reader: str = "integra-plus") -> str:
    """A reader's cursor of a position."""
    with engine.begin() as conn:
        return CURSORS.seal(generation.current(conn), position, reader)


def _events(lines: Iterator[str], reader: str = "integra-plus") -> Iterator[dict[str, Any]]:
    current: dict[str, Any] = {}
    for line in lines:
        if not line and "data" in current:
            yield {"id": place(current["id"], reader), "event": current["event"], "data": json.loads(current["data"])}
        if not line:
            current = {}
        name, _, value = line.partition(": ")
        current[name] = value


def test_the_coordinators_stream_names_no_person_and_includes_derived_events(engine: Engine, postgres: str) -> None:
    person = Person()
    apply(engine, person.bilan())
    with running(postgres) as url, reading(url, "coordinator", after=0) as events:
        received = [next(events) for _ in range(9)]
    assert [t["id"] for t in received] == list(range(1, 10))
    assert [t["event"].removeprefix("jalons.").removesuffix(".v1") for t in received[:3]] == [
        "beneficiary.registered",
        "pathway.moment_entered",
        "referral.sent",
    ]
    assert person.ref not in json.dumps(received)
    assert received[2]["data"]["data"]["reference"] == "R-7K4M-2QX"


def test_a_stream_is_live_and_resumes_after_a_break(
    engine: Engine, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tails, "POLL_SECONDS", 600.0)  # only a commit wakes the stream
    monkeypatch.setattr(streaming, "HEARTBEAT_SECONDS", 600.0)
    with running(postgres) as url:
        with reading(url, "coordinator") as events:
            apply(engine, Person().bilan()[:1])
            first = [next(events), next(events)]
            apply(engine, Person().bilan()[:1])
            third = next(events)
        assert [e["id"] for e in (*first, third)] == [1, 2, 3]
        with reading(url, "coordinator", headers={"Last-Event-ID": cursor(engine, 2)}) as events:
            assert next(events)["id"] == 3


def test_a_cursor_from_before_a_restore_is_refused(engine: Engine, postgres: str) -> None:
    apply(engine, Person().bilan())
    before = cursor(engine, 2)
    with engine.begin() as conn:
        generation.renew(conn)
    with running(postgres) as url:
        for params, last in (({"after": before}, {}), ({}, {"Last-Event-ID": before})):
            headers = {"Authorization": "Bearer coordinator", **last}
            answer = httpx.get(f"{url}/stream", params=params, headers=headers, timeout=10)
            assert (answer.status_code, answer.json()["code"]) == (422, "log_restored")


def test_a_partner_streams_what_it_may_see_of_the_types_it_asked_for(engine: Engine, postgres: str) -> None:
    person = Person()
    apply(engine, [*Person(home="cpas-erezee").bilan()[:1], *person.bilan()])
    with running(postgres) as url:
        with reading(url, "le-trusquin", after=0) as events:
            seen = [next(events) for _ in range(4)]
        with reading(url, "cpas-hotton", after=0, types="pathway.*, jalons.referral.sent.v1") as events:
            home = [next(events) for _ in range(5)]
        with httpx.Client(headers={"Authorization": "Bearer cpas-hotton"}) as client:
            assert client.get(f"{url}/stream", params={"types": "referal.*"}).json()["code"] == "unknown_type"
    assert {e["data"]["subject"] for e in seen} == {str(alias_of(person.ref, "le-trusquin"))}
    assert not any("sequence" in e["data"] or "causationid" in e["data"] for e in seen)
    assert [e["event"].split(".")[1] for e in home] == ["pathway", "referral", "pathway", "pathway", "pathway"]
    assert {e["data"]["subject"] for e in home} == {person.ref}


def audit(url: str, who: str, **asked: str) -> list[dict[str, Any]]:
    """The reads in `GET /audit`, oldest first, without reads of the audit itself."""
    answer = httpx.get(f"{url}/audit", params=asked, headers={"Authorization": f"Bearer {who}"})
    assert answer.status_code == 200, answer.text
    assert {each["action"] for each in answer.json()["items"]} <= {"read"}
    return [each for each in reversed(answer.json()["items"]) if each["noun"] != "audit"]


def audit_lines(engine: Engine) -> int:
    """The number of lines in the audit."""
    with transaction(engine) as conn:
        return int(execute(conn, "SELECT count(*) FROM audit").fetchone()[0])  # type: ignore[index]


def test_the_audit_tells_the_home_partner_who_streamed_what(engine: Engine, postgres: str) -> None:
    person, other = Person(), Person(home="cpas-erezee")
    apply(engine, [*other.bilan(), *person.bilan()])
    with running(postgres) as url:
        assert audit(url, "cpas-hotton", beneficiary=person.ref) == []
        with reading(url, "le-trusquin", after=0, headers={"Jalons-Actor": "t-17"}) as events:
            assert len([next(events) for _ in range(8)]) == 8
        with reading(url, "coordinator", after=0, types="referral.sent") as events:
            assert [next(events)["id"] for _ in range(2)] == [3, 12]
        found = audit(url, "cpas-hotton", beneficiary=person.ref)
        assert [(each["partner"], each["actor"], each["noun"]) for each in found] == [
            *(("le-trusquin", "t-17", noun) for noun in ("referral", "referral", "training", "training")),
            ("integra-plus", None, "referral"),
        ]
        assert len({each["call"] for each in found}) == 2, "a stream is one call"
        long = httpx.get(
            f"{url}/stream", headers={"Authorization": "Bearer coordinator", "Jalons-Actor": "7" + "x" * 36}
        )
        assert (long.status_code, long.json()["code"]) == (422, "not_a_code")


def test_an_event_that_is_not_shown_leaves_no_audit_line(engine: Engine, postgres: str) -> None:
    stranger, known = Person(home="cpas-erezee"), Person()
    apply(engine, [*stranger.bilan()[:1], *known.bilan()])
    with running(postgres) as url, reading(url, "cpas-hotton", after=0, types="training.*") as events:
        received = [next(events) for _ in range(2)]
        apply(engine, [*Person().bilan()[:3], *Person(home="cpas-erezee").bilan()])
        apply(engine, Person().bilan())
        received += [next(events) for _ in range(2)]
    assert [each["event"].split(".")[2] for each in received] == ["started", "completed"] * 2
    assert audit_lines(engine) == 4


@contextmanager
def listening(postgres: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Iterator[str]]:
    """The lines of the coordinator's stream of referrals, with a keep-alive each tenth of a second."""
    monkeypatch.setattr(streaming, "HEARTBEAT_SECONDS", 0.1)
    headers = {"Authorization": "Bearer coordinator"}
    with running(postgres) as url, httpx.stream("GET", f"{url}/stream?types=referral.*", headers=headers) as answer:
        lines = answer.iter_lines()
        assert [next(lines) for _ in range(2)] == ["retry: 2000", ""]
        yield lines


def sends_only_keep_alives(lines: Iterator[str]) -> None:
    """Only keep-alive comments arrive."""
    assert [next(lines) for _ in range(10)] == [":", ""] * 5


def test_an_event_is_shown_only_after_its_audit_line_is_committed(
    engine: Engine, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(postgres, monkeypatch) as lines:
        with transaction(engine) as conn:
            execute(conn, "LOCK TABLE audit")
            apply(engine, Person().bilan())
            sends_only_keep_alives(lines)
        assert [each["id"] for each in islice(_events(lines), 2)] == [3, 4]
    assert audit_lines(engine) == 2


def test_an_event_is_shown_once_after_its_audit_line_had_failed(
    engine: Engine, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(postgres, monkeypatch) as lines:
        _run(engine, "ALTER TABLE audit RENAME TO away")
        apply(engine, Person().bilan())
        sends_only_keep_alives(lines)
        _run(engine, "ALTER TABLE away RENAME TO audit")
        apply(engine, Person().bilan())
        assert [each["id"] for each in islice(_events(lines), 4)] == [3, 4, 12, 13]
    assert audit_lines(engine) == 4


def test_while_the_database_is_away_nothing_is_shown_and_then_each_event_once(
    engine: Engine, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(postgres, monkeypatch) as lines:
        apply(engine, Person().bilan())
        assert [each["id"] for each in islice(_events(lines), 2)] == [3, 4]
        with engine.begin() as ours, unreachable_except_for(ours):
            claim_and_apply(ours, Person().bilan())
            ours.commit()
            sends_only_keep_alives(lines)
        assert [each["id"] for each in islice(_events(lines), 2)] == [12, 13]
    assert audit_lines(engine) == 4


@contextmanager
def unreachable_except_for(ours: Connection) -> Iterator[None]:
    """The database has closed all connections but ours and accepts no new ones."""
    name = ours.engine.url.database
    elsewhere = ours.engine.url.set(drivername="postgresql", database="postgres")
    with psycopg.connect(elsewhere.render_as_string(hide_password=False), autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        try:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name LIKE 'jalons-observation%%' AND pid <> %s",
                (execute(ours, "SELECT pg_backend_pid()").fetchone()[0],),  # type: ignore[index]
            )
            yield
        finally:
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def _run(engine: Engine, statement: str) -> None:
    with transaction(engine) as conn:
        execute(conn, statement)


def test_too_many_streams_are_refused_until_a_reader_disconnects(
    engine: Engine, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "MOST", 2)
    with running(postgres) as url:
        with reading(url, "coordinator"), reading(url, "coordinator"):
            refused = httpx.get(f"{url}/stream", headers={"Authorization": "Bearer coordinator"})
            assert (refused.status_code, refused.json()["code"]) == (503, "too_many_streams")
            assert refused.headers["Retry-After"]
        until = time.monotonic() + 5
        while True:
            with httpx.stream("GET", f"{url}/stream", headers={"Authorization": "Bearer coordinator"}) as again:
                if again.status_code == 200:
                    break
            assert time.monotonic() < until
            time.sleep(0.05)


def test_a_reader_that_accepts_nothing_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "STUCK_SECONDS", 0.05)
    closed: list[str] = []

    async def frames() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b":\n\n"
        finally:
            closed.append("frames")

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body":
            await asyncio.sleep(60)

    asyncio.run(
        streaming.StreamResponse(frames(), lambda: closed.append("place"))(
            {"type": "http", "method": "GET"}, receive, send
        )
    )
    assert closed == ["frames", "place"]


def test_a_silent_stream_sends_keep_alives(engine: Engine, postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "HEARTBEAT_SECONDS", 0.1)
    headers = {"Authorization": "Bearer coordinator"}
    with running(postgres) as url, httpx.stream("GET", f"{url}/stream", headers=headers, timeout=5) as answer:
        lines = answer.iter_lines()
        assert [next(lines) for _ in range(6)] == ["retry: 2000", "", ":", "", ":", ""]


def test_open_streams_end_when_the_service_stops(engine: Engine, postgres: str) -> None:
    with ExitStack() as service:
        url = service.enter_context(running(postgres))
        with reading(url, "coordinator") as events:
            service.close()
            assert list(events) == []


def test_a_reader_far_behind_catches_up_from_the_database(engine: Engine, postgres: str) -> None:
    with running(postgres) as url, reading(url, "coordinator") as live:
        for _ in range(3):
            apply(engine, [e for _ in range(150) for e in Person().bilan()])
        with reading(url, "coordinator", after=cursor(engine, 10)) as behind:
            assert [next(behind)["id"] for _ in range(4040)] == list(range(11, 4051))
        assert [next(live)["id"] for _ in range(4050)] == list(range(1, 4051))
