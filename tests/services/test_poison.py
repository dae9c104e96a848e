"""No record stalls the loop: what a handler, the database or a key cannot take is kept with its reason, alone."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest
from sqlalchemy import Engine, create_engine, literal, select
from sqlalchemy.exc import DBAPIError

from jalons.database import transaction, transient
from jalons.embedded.stack import Servers
from jalons.messaging import dead_letters, tables
from jalons.messaging.deliver import Deliver
from jalons.messaging.items import Record
from jalons.messaging.outbox import Outbox
from jalons.messaging.outcomes import Done, Retry
from jalons.messaging.source_log import HttpLog, LogUnavailable
from jalons.postgres import copy_rows
from jalons.privacy.keys import GONE
from jalons.process.peers import Peers
from jalons.process.settings import Settings
from services.notifications.routing.router import Router
from services.observation.pathways.apply import Project
from tests.support.apps import SECRET, Apps
from tests.support.delivery import Bench, applied_events, new_bench
from tests.support.events import SOURCE, MemorySource, forged, person, record

NATIONAL_NUMBER = "85073003328"
OFFSETS = itertools.count(4_000_000)
SEALED = "jalons.beneficiary.registered.v1"


def attributes(**changed: Any) -> Callable[[Record], Record]:
    return lambda good: forged(good, **changed)


def data(**changed: Any) -> Callable[[Record], Record]:
    return lambda good: forged(good, data=json.loads(good.value or b"")["data"] | changed)


def raw(old: bytes, new: bytes) -> Callable[[Record], Record]:
    def change(good: Record) -> Record:
        assert old in (good.value or b"")
        return record((good.value or b"").replace(old, new), (good.key or b"").decode(), next(OFFSETS))

    return change


POISON: dict[str, Callable[[Record], Record]] = {
    "NUL in the subject": attributes(subject="a\x00b"),
    "NUL in the subject, ahead": attributes(subject="a\x00b", sequence="5"),
    "line break in the subject": attributes(subject="a\nb", sequence="5"),
    "NUL in the id": attributes(id="\x00"),
    "NUL in the partner": attributes(partner="cpas\x00hotton"),
    "NUL in the type": attributes(type="jalons.referral\x00.sent.v1"),
    "NUL in the source": attributes(source="/services/referrals\x00"),
    "NUL in the partition key": attributes(partitionkey="\x00"),
    "NUL in the trace": attributes(traceparent="00-\x00"),
    "NUL in the data": data(home="cpas\x00hotton"),
    "NUL in a field nobody knows": data(remark={"deep": ["\x00"]}),
    "NUL in the sealed part": data(sealed="\x00"),
    "sealed part is no base64": data(sealed="é"),
    "sealed part is empty": data(sealed=""),
    "sealed part is a list": data(sealed=[]),
    "sealed with another key": data(sealed=base64.b64encode(b"\x01" + b"x" * 60).decode()),
    "half a surrogate in the partner": raw(b'"partner":"cpas-hotton"', b'"partner":"\\ud800"'),
    "half a surrogate in the subject": raw(b'"subject":"', b'"subject":"\\ud800'),
    "bytes that are no UTF-8": raw(b'"partner":"cpas-hotton"', b'"partner":"\xff\xfe"'),
    "a subject of 5 000 characters": attributes(subject="s" * 5_000),
    "a partner of 50 000 characters": attributes(partner="p" * 50_000),
    "a partition key of 50 000 characters": attributes(partitionkey="p" * 50_000),
    "a number that is none": data(profile_version="many"),
    "a number of 5 000 digits": raw(b'"profile_version":', b'"profile_version":' + b"9" * 5_000),
    "a sequence beyond bigint": attributes(sequence=str(2**63)),
    "a sequence just below": attributes(sequence="9" * 18),
    "the year 0": attributes(time="0000-01-01T00:00:00Z"),
    "before the year 1": attributes(time="0001-01-01T00:00:00+14:00"),
    "after the year 9999": attributes(time="9999-12-31T23:59:59-12:00"),
    "recorded after the year 9999": attributes(recordedtime="9999-12-31T23:59:59-12:00"),
    "an offset of 99 hours": attributes(time="2026-11-24T09:30:00+99:00"),
    "a time without an offset": attributes(time="2026-11-24T09:30:00"),
    "a subject that is no person": attributes(subject="nobody"),
    "a subject spelled otherwise": lambda good: forged(good, subject=json.loads(good.value or b"")["subject"].upper()),
    "a national number as the subject": attributes(subject=NATIONAL_NUMBER),
    "a national number, ahead": attributes(subject=NATIONAL_NUMBER, sequence="5"),
    "a subject that ends an URL": attributes(subject="../x?y=1#z", sequence="5"),
    "deeply nested": raw(b'"data":{', b'"data":{"x":' + b"[" * 9_000 + b"]" * 9_000 + b","),
    "a list": lambda good: record(b"[]", (good.key or b"").decode(), next(OFFSETS)),
}
"""Records that someone can write, each made of a good one."""


@dataclass
class Follower:
    """A service's own handler on its own schema, which follows a source in memory."""

    deliver: Deliver
    source: MemorySource
    engine: Engine

    def known(self, good: Record) -> bool:
        return self.last((good.key or b"").decode()) == 1

    def last(self, subject: str) -> int:
        """The sequence applied last."""
        query = select(tables.progress.c.last).where(tables.progress.c.subject == subject)
        with transaction(self.engine) as conn:
            return conn.scalar(query) or 0

    def letters(self) -> list[dead_letters.DeadLetter]:
        with transaction(self.engine) as conn:
            return dead_letters.listed(conn, limit=1000)


@pytest.fixture(params=["observation", "notifications"])
def follower(request: pytest.FixtureRequest, playground: Apps) -> Follower:
    name = request.param
    engine, source = playground.engines[name], MemorySource()
    keys, outbox = source.keyring(), Outbox(name)
    applies: dict[str, Any] = {
        "observation": Project(outbox, lambda ref, _partner: person(), keys.forget),
        "notifications": Router(
            SECRET, lambda ref, _partner: person(), lambda known, _reader: known, outbox, keys.forget, coordinator=False
        ),
    }
    deliver = Deliver(name, engine, applies[name], outbox, keys, {SOURCE: source})

    return Follower(deliver, source, engine)


@pytest.mark.parametrize("poison", POISON)
def test_a_record_that_cannot_be_taken_is_kept_alone_and_the_rest_goes_on(follower: Follower, poison: str) -> None:
    before = {letter.id for letter in follower.letters()}
    anna, bela = follower.source.write(person(), SEALED), follower.source.write(person(), SEALED)
    bad = POISON[poison](follower.source.write(person(), SEALED))
    items = [anna, bad, bela]
    outcome = follower.deliver.attempt([follower.deliver.item(each) for each in items])
    assert isinstance(outcome, Done), "nothing waits"
    assert follower.known(anna) and follower.known(bela)
    new = [letter for letter in follower.letters() if letter.id not in before]
    assert len(new) == 1, "it is kept with its reason"
    assert NATIONAL_NUMBER not in str(new[0])


def test_a_person_whose_key_nobody_knows_waits_alone_and_goes_on_when_it_is_back(follower: Follower) -> None:
    """As after restoring PostgreSQL behind Kafka."""
    anna, bela = person(), person()
    records = [follower.source.write(who, SEALED) for who in (anna, bela)]
    records += [follower.source.write(anna, "jalons.beneficiary.profile_updated.v1")]
    key = follower.source.keys.pop(anna)
    assert isinstance(follower.deliver.attempt([follower.deliver.item(each) for each in records]), Done)
    assert follower.known(records[1])
    [letter] = [each for each in follower.letters() if each.subject == anna]
    assert (letter.kind, letter.sequence, letter.waiting) == ("parked", 1, 1)
    assert "nobody knows" in letter.reason
    assert "nobody knows" in str(follower.deliver.retry(letter.id))
    follower.source.keys[anna] = key
    assert follower.deliver.retry(letter.id) is None
    assert not [each for each in follower.letters() if each.subject == anna]
    assert follower.last(anna) == 2


ANSWERS = {
    "failed": httpx.Response(500),
    "busy": httpx.Response(503, json={"code": "unavailable"}),
    "no token": httpx.Response(401, json={"code": "unauthorised"}),
    "a proxy's page": httpx.Response(200, content=b"<html>"),
    "a list": httpx.Response(200, json=[]),
    "keys that are a list": httpx.Response(200, json={"keys": ["x"]}),
    "no base64": httpx.Response(200, json={"keys": {"anna": 7}}),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_service_that_does_not_answer_for_keys_is_waited_for(database: Engine, answer: str) -> None:
    bench = on(database)
    bench.deliver.keys = peers(lambda _request: ANSWERS[answer]).keys()
    outcome = bench.deliver.attempt([bench.deliver.item(bench.source.write(person(), SEALED))])
    assert isinstance(outcome, Retry)
    assert bench.letters() == []


def test_what_is_no_person_is_not_asked_for_with_the_others(database: Engine) -> None:
    """One subject that referrals refuses to hear would refuse the whole batch."""
    asked: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token":
            return httpx.Response(200, json={"access_token": "x", "expires_in": 600})
        asked.append(json.loads(request.content)["subjects"])
        return httpx.Response(200, json={"keys": dict.fromkeys(asked[-1])})

    anna = person()
    assert peers(answer).keys().known({anna, NATIONAL_NUMBER, "x\x00"}) == {anna: GONE}
    assert asked == [[anna]]


def test_a_hole_in_the_source_s_log_holds_up_nobody_else(database: Engine) -> None:
    bench = on(database)
    anna, bela = person(), person()
    third = [bench.source.write(anna) for _ in range(3)][-1]
    del bench.source.entries[1]
    assert isinstance(
        bench.deliver.attempt([bench.deliver.item(each) for each in (third, bench.source.write(bela))]), Done
    )
    assert bench.order(bela) == [1]
    assert bench.order(anna) == []
    [letter] = bench.letters()
    assert "hole" in letter.reason


@pytest.mark.parametrize(
    "answer",
    [
        {"items": [{"sequence": "x"}]},
        {"items": [{}]},
        {"items": ["x"]},
        {"items": [{"id": 1, "subject": "a", "sequence": 1}]},
    ],
    ids=json.dumps,
)
def test_a_log_that_makes_no_sense_is_a_log_that_is_away(answer: Any) -> None:
    class Tokens:
        def token(self) -> str:
            return "x"

    transport = httpx.MockTransport(lambda _request: httpx.Response(200, json=answer))
    with pytest.raises(LogUnavailable):
        HttpLog(SOURCE, "http://referrals", httpx.Client(transport=transport), Tokens()).after("a", 0)


def test_what_passes_by_itself_is_a_closed_list(servers: Servers, database: Engine) -> None:
    """An error of the driver has no SQLSTATE; only one about the connection passes."""
    nowhere = create_engine("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    with pytest.raises(DBAPIError) as away, nowhere.connect():
        pass
    assert transient(away.value)
    with pytest.raises(DBAPIError) as nul, database.connect() as conn:
        conn.execute(select(literal("a\x00")))
    assert not transient(nul.value)
    with pytest.raises(psycopg.DataError) as copied, database.begin() as conn:
        copy_rows(conn, tables.reconciled, [{"source": "a\x00", "position": 1}])
    assert not transient(copied.value)
    with pytest.raises(DBAPIError) as many, database.connect() as conn:
        conn.exec_driver_sql("SELECT " + ",".join(["%s"] * 70_000), tuple(range(70_000)))
    assert not transient(many.value), "too many parameters: an OperationalError without a state"
    for error in (
        UnicodeEncodeError("utf-8", "", 0, 1, ""),
        OverflowError(),
        RecursionError(),
        KeyError(),
        TypeError(),
    ):
        assert not transient(error)
    for passing in (psycopg.errors.AdminShutdown(), psycopg.errors.DiskFull(), psycopg.OperationalError()):
        assert transient(passing)


def on(database: Engine) -> Bench:
    with transaction(database) as conn:
        applied_events.create(conn)
    return new_bench(database)


def peers(answer: Callable[[httpx.Request], httpx.Response]) -> Peers:
    """Peers whose HTTP is answered by a function; the token too."""
    return Peers(
        Settings(
            database_url="x", kafka="x", secret_key=SECRET, hub_client_secret="x", referrals_url="http://referrals"
        ),
        transport=httpx.MockTransport(answer),
    )
