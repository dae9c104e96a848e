"""Observation on a real PostgreSQL: what a batch leaves behind, who reads what, and a stream that misses nothing."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import uvicorn
from fastapi.testclient import TestClient
from sqlalchemy import Connection, Engine, create_engine, text

from jalons.database import engine as open_engine
from jalons.embedded.postgres import Postgres
from jalons.identity import Principal
from jalons.messaging import progress
from jalons.messaging.codec import opened, read
from jalons.messaging.outbox import Outbox
from jalons.migrate import upgrade
from jalons.privacy.aliases import alias
from jalons.privacy.sealing import derive
from jalons.settings import Settings
from schemas.catalogue import TYPES
from schemas.envelope import Event
from schemas.examples import DATA, SEALED
from services.observation import service as wiring
from services.observation import store
from services.observation.api import stream as streaming
from services.observation.apply import Project
from services.observation.stalls import SILENCE, Stalls
from services.observation.tail import Tail

MORNING = datetime(2026, 3, 2, 8, tzinfo=UTC)
SECRET = "a secret for tests only, of forty-some characters"
REFERRALS = "/services/referrals"
FORGOTTEN_KEYS: list[str] = []


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("observation")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Postgres(folder / "postgres", port, "secret")
    server.prepare()
    process = server.launch()
    until = time.monotonic() + 30
    while not server.ready():
        assert time.monotonic() < until
        time.sleep(0.05)
    yield server.url
    process.send_signal(server.stop_signal)
    process.wait(20)  # type: ignore[attr-defined]


@pytest.fixture
def engine(postgres: str) -> Iterator[Engine]:
    """Observation's schema, new for each test."""
    admin = create_engine(postgres)
    with admin.connect() as conn:
        conn.execute(text("DROP SCHEMA IF EXISTS observation CASCADE"))
        conn.commit()
        upgrade(conn, "observation")
    admin.dispose()
    pool = open_engine(postgres, "observation")
    yield pool
    pool.dispose()


def named(ref: str, partner: str) -> UUID:
    return alias(derive(SECRET, "aliases"), ref, partner)


@dataclass
class Person:
    """A person of whom referrals tells, event after event."""

    home: str = "cpas-hotton"
    ref: str = field(default_factory=lambda: str(uuid4()))
    told: int = 0

    def event(self, kind: str, day: float = 0, **data: Any) -> Event:
        self.told += 1
        type_ = f"jalons.{kind}.v1"
        payload = TYPES[type_]
        at = MORNING + timedelta(days=day)
        base = {name: value for name, value in DATA[type_].items() if name not in {"referral_id", "offer"}}
        home = {name: self.home for name in ("referrer", "proposer") if name in base} | {"home": self.home}
        return Event(
            id=uuid4(),
            source=REFERRALS,
            subject=self.ref,
            sequence=self.told,
            time=at,
            recorded=data.pop("recorded", at),
            partner=data.pop("partner", self.home),
            correlation=uuid4(),
            causation=uuid4(),
            data=payload.model_validate(base | home | data),
            sealed=payload.SEALED.model_validate(SEALED[type_]) if payload.SEALED else None,
        )

    def bilan(self) -> list[Event]:
        """Registered, referred to Le Trusquin for a bilan, begun and done: five steps over ten days."""
        about = {"referral_id": uuid4(), "moment": "projet"}
        course = about | {"training_id": uuid4(), "partner": "le-trusquin"}
        return [
            self.event("beneficiary.registered"),
            self.event("referral.sent", 1, **about),
            self.event("referral.accepted", 2, **about, partner="le-trusquin"),
            self.event("training.started", 5, **course),
            self.event("training.completed", 9, **course),
        ]


def project() -> Project:
    return Project(Outbox("observation"), named, FORGOTTEN_KEYS.append)


def apply(engine: Engine, events: Sequence[Event]) -> None:
    """As delivery does: claimed, then applied, in one transaction."""
    with engine.begin() as conn:
        claim_and_apply(conn, events)


def claim_and_apply(conn: Connection, events: Sequence[Event]) -> None:
    project()(conn, progress.claim(conn, events).ready)


def derived(engine: Engine) -> list[Event]:
    with engine.begin() as conn:
        rows = conn.exec_driver_sql("SELECT value FROM events ORDER BY appended").scalars().all()
    return [opened(read(bytes(value)), None) for value in rows]


def whole_stream(engine: Engine) -> list[tuple[int, Event]]:
    with engine.begin() as conn:
        return store.page(conn, 0, 10_000)[0]


class Tokens:
    """Stands for the verifier: the token is who one is."""

    def principal(self, header: str | None) -> Principal:
        name = (header or "").removeprefix("Bearer ")
        scopes = {"coordinator": ["coordinator"], "statistics": ["read:counts"]}.get(name, ["partner", "read:counts"])
        partner = None if name == "statistics" else "integra-plus" if name == "coordinator" else name
        return Principal(name, partner, frozenset(scopes))


@dataclass
class Api:
    """The service's HTTP, asked in somebody's name."""

    client: TestClient

    def ask(self, who: str, path: str, **query: Any) -> httpx.Response:
        return self.client.get(path, params=query, headers={"Authorization": f"Bearer {who}"})

    def get(self, who: str, path: str, **query: Any) -> dict[str, Any]:
        answer = self.ask(who, path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()


def built(postgres: str) -> wiring.Service:
    settings = Settings(database_url=postgres, kafka="127.0.0.1:1", secret_key=SECRET, hub_client_secret="none")
    service = wiring.build(settings)
    service.app.state.verifier = Tokens()
    return service


@pytest.fixture
def api(postgres: str, engine: Engine) -> Iterator[Api]:
    with TestClient(built(postgres).app) as client:
        yield Api(client)


# What a batch leaves behind


def test_a_person_s_way_is_derived_with_its_causes(engine: Engine) -> None:
    events = Person().bilan()
    apply(engine, events)
    told = derived(engine)
    assert [(e.type.split(".")[2], e.data.moment, e.causation) for e in told] == [
        ("moment_entered", "accueil", events[0].id),
        ("moment_left", "accueil", events[3].id),
        ("moment_entered", "projet", events[3].id),
        ("moment_left", "projet", events[4].id),
    ]
    assert [e.sequence for e in told] == [1, 2, 3, 4]
    assert [e.correlation for e in told] == [e.correlation for e in (events[0], events[3], events[3], events[4])]
    assert {e.partner for e in told} == {"cpas-hotton", "le-trusquin"}


def test_one_batch_or_one_at_a_time_is_the_same_and_derives_the_same_ids(engine: Engine, postgres: str) -> None:
    one, other = Person(), Person()
    events = [e for pair in zip(one.bilan(), other.bilan(), strict=True) for e in pair]
    apply(engine, events)
    at_once = sorted((e.id, e.type, e.subject) for e in derived(engine))
    counted = _counts(engine)
    with engine.begin() as conn:
        for table in ("timeline", "steps", "counts", "aliases", "events", "progress", "derivations"):
            conn.exec_driver_sql(f"TRUNCATE {table}")
    for event in events:
        apply(engine, [event])
    assert sorted((e.id, e.type, e.subject) for e in derived(engine)) == at_once
    assert _counts(engine) == counted
    assert counted["persons_new"] == counted["trainings_started"] == 2


def test_a_rebuild_derives_without_telling(engine: Engine) -> None:
    events = Person().bilan()
    with engine.begin() as conn:
        project()(conn, events, publish=False)
    assert derived(engine) == []
    assert [e.id for _, e in whole_stream(engine)] == [e.id for e in events]
    with engine.begin() as conn:
        moments = conn.exec_driver_sql("SELECT moment FROM steps WHERE entered_at IS NOT NULL").scalars().all()
    assert set(moments) == {"accueil", "projet"}


def test_what_fails_leaves_nothing_behind(engine: Engine) -> None:
    with pytest.raises(RuntimeError), engine.begin() as conn:
        claim_and_apply(conn, Person().bilan())
        raise RuntimeError
    later = Person().bilan()
    apply(engine, later)
    positions = [position for position, _ in whole_stream(engine)]
    assert positions == list(range(1, 10))


def test_the_directory_is_passed_over(engine: Engine) -> None:
    directory = replace(Person().event("beneficiary.registered"), subject="le-trusquin", sealed=None)
    directory = replace(
        directory, data=TYPES["jalons.partner.registered.v1"].model_validate(DATA["jalons.partner.registered.v1"])
    )
    apply(engine, [directory])
    assert whole_stream(engine) == []


def test_nothing_sealed_is_kept_in_the_timeline(engine: Engine) -> None:
    apply(engine, Person().bilan())
    with engine.begin() as conn:
        kept = " ".join(conn.exec_driver_sql("SELECT data::text FROM timeline").scalars())
    assert "le-trusquin" in kept
    for secret in ("lower_secondary", "mobilite", "together", "acquired"):
        assert secret not in kept


def test_a_batch_costs_a_handful_of_statements(engine: Engine) -> None:
    from sqlalchemy import event as listening

    asked: list[str] = []
    listening.listen(engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    people = [Person() for _ in range(100)]
    apply(engine, [e for person in people for e in person.bilan()])
    assert len(asked) <= 12, asked
    assert len(whole_stream(engine)) == 900


def _counts(engine: Engine) -> dict[str, int]:
    with engine.begin() as conn:
        rows = conn.exec_driver_sql("SELECT measure, sum(n)::int FROM counts GROUP BY 1")
        return {row[0]: row[1] for row in rows}


# A stream that misses nothing


def test_a_position_never_appears_after_a_later_one_was_read(engine: Engine) -> None:
    slow, quick = Person().bilan(), Person(home="cpas-erezee").bilan()  # no count in common to wait for
    with engine.connect() as first:
        going = first.begin()
        claim_and_apply(first, slow)
        second = threading.Thread(target=apply, args=(engine, quick))
        second.start()
        second.join(0.5)
        seen = whole_stream(engine)
        assert second.is_alive(), "the second may not commit its positions before the first"
        assert seen == []
        going.commit()
    second.join(10)
    positions = [position for position, _ in whole_stream(engine)]
    assert positions == list(range(1, 19))
    assert [e.id for _, e in whole_stream(engine) if e.source == REFERRALS] == [e.id for e in slow + quick]


def test_many_writers_and_a_reader_that_only_ever_asks_for_what_comes_after(engine: Engine) -> None:
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
            entries, upto = store.page(conn, upto, 50)
        read_so_far += entries
    assert [position for position, _ in read_so_far] == list(range(1, 24 * 9 + 1))
    assert len({e.id for _, e in read_so_far}) == 24 * 9


def _head(engine: Engine) -> int:
    with engine.begin() as conn:
        return store.head(conn)


@contextmanager
def running(postgres: str) -> Iterator[str]:
    """The service's HTTP and its tail on a real socket."""
    service = built(postgres)
    tail = next(part for part in service.parts if isinstance(part, Tail))
    server = uvicorn.Server(uvicorn.Config(service.app, port=0, lifespan="off", log_config=None))
    thread = threading.Thread(target=server.run)
    tail.start()
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
        yield _events(answer.iter_lines())


def _events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    current: dict[str, Any] = {}
    for line in lines:
        if not line and "data" in current:
            yield {"id": int(current["id"]), "event": current["event"], "data": json.loads(current["data"])}
        if not line:
            current = {}
        name, _, value = line.partition(": ")
        current[name] = value


def test_the_coordinator_s_stream_names_no_person_and_tells_the_derived_way_too(engine: Engine, postgres: str) -> None:
    person = Person()
    apply(engine, person.bilan())
    with running(postgres) as url, reading(url, "coordinator", after=0) as events:
        told = [next(events) for _ in range(9)]
    assert [t["id"] for t in told] == list(range(1, 10))
    assert [t["event"].removeprefix("jalons.").removesuffix(".v1") for t in told[:3]] == [
        "beneficiary.registered",
        "pathway.moment_entered",
        "referral.sent",
    ]
    assert person.ref not in json.dumps(told)
    assert told[2]["data"]["data"]["reference"] == "R-7K4M-2QX"


def test_a_stream_goes_on_live_and_after_a_break(engine: Engine, postgres: str) -> None:
    with running(postgres) as url:
        with reading(url, "coordinator") as events:
            apply(engine, Person().bilan()[:1])
            first = [next(events), next(events)]
            began = time.perf_counter()
            apply(engine, Person().bilan()[:1])
            third = next(events)
            took = time.perf_counter() - began
        assert [e["id"] for e in (*first, third)] == [1, 2, 3]
        assert took < 1, "the poll is no excuse: a commit wakes its readers"
        with reading(url, "coordinator", headers={"Last-Event-ID": "2"}) as events:
            assert next(events)["id"] == 3


def test_a_partner_streams_its_own_cut_and_only_the_types_asked_for(engine: Engine, postgres: str) -> None:
    person = Person()
    apply(engine, [*Person(home="cpas-erezee").bilan()[:1], *person.bilan()])
    with running(postgres) as url:
        with reading(url, "le-trusquin", after=0) as events:
            seen = [next(events) for _ in range(4)]
        with reading(url, "cpas-hotton", after=0, types="pathway.*, jalons.referral.sent.v1") as events:
            home = [next(events) for _ in range(5)]
        with httpx.Client(headers={"Authorization": "Bearer cpas-hotton"}) as client:
            assert client.get(f"{url}/stream", params={"types": "referal.*"}).json()["code"] == "unknown_type"
    assert {e["data"]["subject"] for e in seen} == {str(named(person.ref, "le-trusquin"))}
    assert not any("sequence" in e["data"] or "causationid" in e["data"] for e in seen)
    assert [e["event"].split(".")[1] for e in home] == ["pathway", "referral", "pathway", "pathway", "pathway"]
    assert {e["data"]["subject"] for e in home} == {person.ref}


def test_a_stream_too_many_is_told_when_to_come_back_and_a_gone_reader_gives_its_place_back(
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


def test_a_silent_stream_shows_that_it_is_alive(engine: Engine, postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "HEARTBEAT_SECONDS", 0.1)
    headers = {"Authorization": "Bearer coordinator"}
    with running(postgres) as url, httpx.stream("GET", f"{url}/stream", headers=headers, timeout=5) as answer:
        lines = answer.iter_lines()
        assert [next(lines) for _ in range(6)] == ["retry: 2000", "", ":", "", ":", ""]


def test_open_streams_end_when_the_service_stops(engine: Engine, postgres: str) -> None:
    with ExitStack() as service:
        url = service.enter_context(running(postgres))
        with reading(url, "coordinator") as events:
            began = time.monotonic()
            service.close()
            assert list(events) == []
            assert time.monotonic() - began < 5


def test_a_reader_far_behind_catches_up_from_the_database(engine: Engine, postgres: str) -> None:
    with running(postgres) as url, reading(url, "coordinator") as live:
        for _ in range(3):
            apply(engine, [e for _ in range(150) for e in Person().bilan()])
        with reading(url, "coordinator", after=10) as behind:
            assert [next(behind)["id"] for _ in range(4040)] == list(range(11, 4051))
        assert [next(live)["id"] for _ in range(4050)] == list(range(1, 4051))


# Who reads what of a pathway


def test_the_home_partner_sees_steps_with_cause_and_meaning_and_every_event(engine: Engine, api: Api) -> None:
    person = Person()
    events = person.bilan()
    apply(engine, events)
    way = api.get("cpas-hotton", f"/pathways/{person.ref}")
    assert way["beneficiary"] == person.ref
    assert [(s["moment"], s["partner"], s["cause"]) for s in way["steps"]] == [
        ("accueil", "cpas-hotton", str(events[0].id)),
        ("projet", "le-trusquin", str(events[3].id)),
    ]
    assert way["steps"][1]["meaning"] == {"goal": "qualify", "chosen_by": "together", "follows": None}
    assert all(step["left_at"] for step in way["steps"])
    assert [(e["type"], e["sequence"], e["causation"]) for e in way["events"]] == [
        (e.type, e.sequence, str(e.causation)) for e in events
    ]
    assert set(way["events"][0]) == {"id", "type", "source", "time", "recorded", "partner", "sequence", "causation"}


def test_another_partner_asks_by_its_own_alias_and_sees_what_it_took_part_in(engine: Engine, api: Api) -> None:
    person, job = Person(), uuid4()
    work = [
        person.event(f"placement.{what}", day, placement_id=job) for what, day in (("proposed", 20), ("started", 21))
    ]
    apply(engine, list(_renumbered(person, [*person.bilan(), *work])))
    mine = named(person.ref, "le-trusquin")
    way = api.get("le-trusquin", f"/pathways/{mine}")
    assert way["beneficiary"] == str(mine)
    assert [e["type"].split(".")[1] for e in way["events"]] == ["referral", "referral", "training", "training"]
    assert all(set(e) == {"id", "type", "source", "time", "recorded", "partner"} for e in way["events"])
    assert [(s["moment"], s["partner"], s["meaning"]["goal"]) for s in way["steps"]] == [
        ("projet", "le-trusquin", None)
    ]
    assert person.ref not in json.dumps(way)

    employer = api.get("maison-de-repos-hotton", f"/pathways/{named(person.ref, 'maison-de-repos-hotton')}")
    assert all(set(e) == {"id", "type", "source", "time", "recorded"} for e in employer["events"])
    assert len(employer["events"]) == 2
    assert "cpas-hotton" not in json.dumps(employer)


def _renumbered(person: Person, events: list[Event]) -> Iterator[Event]:
    for number, event in enumerate(events, 1):
        yield replace(event, sequence=number)
    person.told = len(events)


def test_nobody_else_finds_the_person_by_any_name(engine: Engine, api: Api) -> None:
    person = Person()
    apply(engine, person.bilan())
    others = named(person.ref, "le-trusquin")
    for who, name in [
        ("le-trusquin", person.ref),
        ("cpas-erezee", person.ref),
        ("cpas-erezee", others),
        ("cpas-hotton", others),
        ("cpas-hotton", uuid4()),
        ("cpas-hotton", "somebody"),
    ]:
        answer = api.ask(who, f"/pathways/{name}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), (who, name)
    assert api.ask("coordinator", f"/pathways/{person.ref}").status_code == 403
    assert api.ask("statistics", f"/pathways/{person.ref}").status_code == 403


def test_as_of_answers_with_what_the_hub_knew_then(engine: Engine, api: Api) -> None:
    person = Person()
    events = person.bilan()
    late = replace(events[4], recorded=MORNING + timedelta(days=30))
    apply(engine, [*events[:4], late])
    path = f"/pathways/{person.ref}"

    def then(days: float) -> tuple[int, list[tuple[str, bool]]]:
        way = api.get("cpas-hotton", path, as_of=(MORNING + timedelta(days=days)).isoformat())
        return len(way["events"]), [(s["moment"], s["left_at"] is None) for s in way["steps"]]

    assert then(-1) == (0, [])
    assert then(3) == (3, [("accueil", True)])
    assert then(12) == (4, [("accueil", False), ("projet", True)]), "it was done on day 9, but nobody had said so"
    assert then(31) == (5, [("accueil", False), ("projet", False)])
    assert api.ask("cpas-hotton", path, as_of="2026-03-04T10:00:00").status_code == 422


# Counts


@pytest.fixture
def counted(engine: Engine, api: Api) -> Api:
    """Two persons of Hotton and one of Érezée, all for a bilan at Le Trusquin; and a trial."""
    trial = Person()
    people = [Person(), Person(), Person(home="cpas-erezee")]
    apply(engine, [e for person in people for e in person.bilan()])
    apply(engine, [trial.event("referral.sent", referral_id=uuid4(), trial=True)])
    return api


def test_a_home_partner_counts_its_persons_exactly(counted: Api) -> None:
    table = counted.get("cpas-hotton", "/counts", measure="referrals_sent", by="month,partner,home")
    assert table["scope"] == "own"
    assert table["cells"] == [
        {"month": "2026-03", "partner": "le-trusquin", "home": "cpas-hotton", "n": 2, "shown": "2"}
    ]
    assert table["total"] == 2


def test_a_receiver_counts_what_it_received_and_never_learns_whose_they_are(counted: Api) -> None:
    table = counted.get("le-trusquin", "/counts", measure="trainings_started", by="home,moment")
    assert table["cells"] == [{"home": None, "moment": "projet", "n": 3, "shown": "3"}]
    assert counted.get("le-trusquin", "/counts", measure="persons_new")["total"] == 0


def test_the_coordinator_counts_all(counted: Api) -> None:
    table = counted.get("coordinator", "/counts", measure="persons_new", by="home")
    assert [(c["home"], c["n"]) for c in table["cells"]] == [("cpas-erezee", 1), ("cpas-hotton", 2)]


def test_months_outside_the_range_are_not_counted(counted: Api) -> None:
    ask = {"measure": "referrals_sent", "by": "month"}
    assert counted.get("coordinator", "/counts", **ask, **{"from": "2026-03", "to": "2026-03"})["total"] == 3
    assert counted.get("coordinator", "/counts", **ask, **{"from": "2026-04"}) | {"cells": 0} == {
        "measure": "referrals_sent",
        "by": ["month"],
        "scope": "own",
        "cells": 0,
        "total": 0,
    }


def test_the_network_is_hidden_until_periods_are_closed_whatever_there_is(counted: Api) -> None:
    ask = {"measure": "referrals_sent", "scope": "network"}
    table = counted.get("cpas-hotton", "/counts", **ask, by="month", **{"from": "2026-02", "to": "2026-04"})
    assert table["cells"] == [{"month": f"2026-0{m}", "n": None, "shown": "–"} for m in (2, 3, 4)]
    assert table["total"] is None
    crossed = counted.get("statistics", "/counts", measure="referrals_sent", by="month,partner")
    assert crossed["scope"] == "network"
    assert crossed["cells"] == [{"month": None, "partner": None, "n": None, "shown": "–"}]
    assert counted.ask("statistics", "/counts", measure="referrals_sent", scope="own").status_code == 403


def test_what_cannot_be_counted_is_said_with_what_can(counted: Api) -> None:
    for query, code in [
        ({"measure": "happiness"}, "unknown_measure"),
        ({"measure": "persons_new", "by": "age_band"}, "unknown_dimension"),
        ({"measure": "persons_new", "from": "2026-05", "to": "2026-04"}, "bad_range"),
        ({"measure": "persons_new", "from": "1900-01", "to": "2026-04", "scope": "network"}, "bad_range"),
    ]:
        answer = counted.ask("coordinator", "/counts", **query)
        assert (answer.status_code, answer.json()["code"]) == (422, code)
    refused = counted.ask("coordinator", "/counts", measure="persons_new", by="age_band").json()
    offered = counted.get("coordinator", "/counts/measures")
    assert set(refused["known"]) == set(offered["dimensions"]) == {"month", "home", "partner", "moment"}
    assert {m["name"] for m in offered["measures"]} >= {"persons_new", "placements_started"}


# Silence


def stalls(engine: Engine) -> Stalls:
    return Stalls(engine, Outbox("observation"), REFERRALS)


def test_a_step_silent_for_ninety_days_is_told_once(engine: Engine) -> None:
    person = Person()
    *_, started, _ = events = person.bilan()
    apply(engine, events[:4])
    quiet = started.time + SILENCE
    assert stalls(engine).look(quiet) == 0
    assert stalls(engine).look(quiet + timedelta(seconds=1)) == 1
    assert stalls(engine).look(quiet + timedelta(days=9)) == 0
    stalled = derived(engine)[-1]
    assert (stalled.type, stalled.time, stalled.causation) == ("jalons.pathway.stalled.v1", quiet, started.id)
    assert (stalled.correlation, stalled.data.moment, stalled.sequence) == (started.correlation, "projet", 4)
    assert whole_stream(engine)[-1][1].id == stalled.id


def trained(person: Person) -> list[Event]:
    """Registered, and in a training that goes on."""
    return [person.event("beneficiary.registered"), person.event("training.started", 5, moment="projet")]


def test_a_paused_person_never_stalls_and_silence_is_counted_anew_when_resumed(engine: Engine) -> None:
    person = Person()
    apply(engine, [*trained(person), person.event("beneficiary.paused", 6)])
    assert stalls(engine).look(MORNING + timedelta(days=400)) == 0
    apply(engine, [person.event("beneficiary.resumed", 400)])
    assert stalls(engine).look(MORNING + timedelta(days=489)) == 0
    assert stalls(engine).look(MORNING + timedelta(days=491)) == 1


def test_leaving_ends_the_welcome_and_nothing_else(engine: Engine) -> None:
    welcomed, learner = Person(), Person()
    apply(engine, [welcomed.event("beneficiary.registered"), welcomed.event("beneficiary.left", 3)])
    apply(engine, [*trained(learner), learner.event("beneficiary.left", 6)])
    with engine.begin() as conn:
        [accueil] = store.steps_of(conn, UUID(welcomed.ref), MORNING + timedelta(days=9))
        steps = store.steps_of(conn, UUID(learner.ref), MORNING + timedelta(days=9))
    assert accueil.left_at == MORNING + timedelta(days=3)
    assert [(step.moment, step.open) for step in steps] == [("accueil", False), ("projet", True)]


def test_the_way_hides_from_a_partner_whom_no_agreement_covers_any_more(engine: Engine) -> None:
    person = Person()
    apply(engine, person.bilan())
    mine = named(person.ref, "le-trusquin")

    def known() -> bool:
        with engine.begin() as conn:
            assert store.person_of(conn, UUID(person.ref), "cpas-hotton"), "never from the home partner"
            return store.person_of(conn, mine, "le-trusquin") is not None

    assert known()
    apply(engine, [person.event("consent.withdrawn", 10)])
    assert not known()
    apply(engine, [person.event("training.enrolled", 11, partner="le-trusquin", referral_id=None)])
    assert not known(), "what the partner says itself shows nothing again"
    apply(engine, [person.event("consent.given", 12, purposes=["pathway_view"])])
    assert not known(), "an agreement to something else"
    apply(engine, [person.event("consent.given", 12)])
    assert known()
    apply(engine, [person.event("consent.expired", 13), person.event("referral.sent", 14, referral_id=uuid4())])
    assert known(), "a new referral needs an agreement"


def test_an_erased_person_is_forgotten_and_the_counts_stay_whether_live_or_replayed(engine: Engine) -> None:
    live, replayed, other = Person(), Person(), Person()
    apply(engine, [*other.bilan(), *live.bilan()])
    apply(engine, [live.event("beneficiary.erased", 20)])
    apply(engine, [replace(e, sealed=None) for e in [*replayed.bilan(), replayed.event("beneficiary.erased", 20)]])
    assert FORGOTTEN_KEYS[-2:] == [live.ref, replayed.ref]
    with engine.begin() as conn:
        for person in (live, replayed):
            assert store.person_of(conn, UUID(person.ref), person.home) is None
            assert store.person_of(conn, named(person.ref, "le-trusquin"), "le-trusquin") is None
            for table in ("timeline", "steps", "aliases", "derivations"):
                found = conn.execute(
                    text(f"SELECT count(*) FROM {table} WHERE subject::text = :ref"), {"ref": person.ref}
                )
                assert found.scalar() == 0, table
        assert store.person_of(conn, UUID(other.ref), other.home)
        counted = conn.execute(text("SELECT sum(n) FROM counts WHERE measure = 'persons_new'")).scalar()
        assert counted == 3, "raw totals stay"
        assert conn.execute(text("SELECT count(*) FROM forgotten")).scalar() == 1, "one receipt in the example"
    assert {event.subject for _, event in whole_stream(engine)} == {other.ref}


def test_accueil_never_stalls_nor_what_is_done_or_only_announced(engine: Engine) -> None:
    apply(engine, Person().bilan()[:3])
    apply(engine, Person().bilan())
    assert stalls(engine).look(MORNING + timedelta(days=900)) == 0


def test_a_look_waits_for_a_live_event_of_the_person_and_numbers_go_on(engine: Engine) -> None:
    person = Person()
    apply(engine, person.bilan()[:4])
    person.told = 4
    other = person.event("training.started", 150, training_id=uuid4())
    found: list[int] = []
    look = threading.Thread(target=lambda: found.append(stalls(engine).look(MORNING + timedelta(days=151))))
    with engine.connect() as live:
        going = live.begin()
        claim_and_apply(live, [other])
        look.start()
        look.join(0.5)
        assert look.is_alive()
        going.commit()
    look.join(10)
    assert found == [1]
    assert [(e.sequence, e.type.split(".")[2]) for e in derived(engine)][-2:] == [(4, "moment_entered"), (5, "stalled")]


def test_two_that_look_at_once_and_a_live_event_tell_each_silence_once(engine: Engine) -> None:
    people = [Person() for _ in range(70)]
    ways = [person.bilan() for person in people]
    apply(engine, [e for way in ways for e in way[:4]])
    now = MORNING + timedelta(days=200)
    found: list[int] = []
    looks = [threading.Thread(target=lambda: found.append(stalls(engine).look(now))) for _ in range(2)]
    for look in looks:
        look.start()
    for way in ways[:10]:
        _until_applied(engine, way[4])
    for look in looks:
        look.join(30)
    told = [e for e in derived(engine) if e.type == "jalons.pathway.stalled.v1"]
    assert len(told) == sum(found)
    assert len({e.subject for e in told}) == len(told) >= 60
    with engine.begin() as conn:
        torn = conn.exec_driver_sql(
            "SELECT subject FROM events GROUP BY subject HAVING max(sequence) <> count(*)"
        ).all()
    assert torn == []


def _until_applied(engine: Engine, event: Event) -> None:
    while True:
        try:
            apply(engine, [event])
            return
        except progress.ClaimLost:
            time.sleep(0.01)
