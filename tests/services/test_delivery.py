"""Delivery on real PostgreSQL: each event is applied once and in order, or stored with its reason."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
from prometheus_client import REGISTRY
from sqlalchemy import Connection, Engine, func, select

from jalons.database import transaction
from jalons.messaging.items import Record
from jalons.messaging.outcomes import Park, Retry, outcome_of
from jalons.messaging.tables import events as log
from jalons.messaging.tables import progress
from jalons.privacy.keys import GONE
from schemas.envelope import Event
from tests.support.delivery import Bench, applied_events, count, new_bench
from tests.support.events import SOURCE, forged, person, record
from tests.support.network import eventually


@pytest.fixture
def bench(database: Engine) -> Bench:
    with transaction(database) as conn:
        applied_events.create(conn)
    return new_bench(database)


def test_events_are_applied_once_in_their_order(bench: Bench) -> None:
    anna, bela = person(), person()
    records = [bench.source.write(who) for who in (anna, bela, anna, anna, bela)]
    assert bench.deliver(records)
    assert bench.deliver(records), "redelivered"
    assert bench.order(anna) == [1, 2, 3]
    assert bench.order(bela) == [1, 2]
    assert bench.letters() == []


def test_a_gap_is_filled_from_the_source(bench: Bench) -> None:
    anna = person()
    first, _second, _third, fourth = (bench.source.write(anna) for _ in range(4))
    assert bench.deliver([first, fourth])
    assert bench.order(anna) == [1, 2, 3, 4]
    assert bench.letters() == []


def test_a_gap_waits_while_the_source_is_away(bench: Bench) -> None:
    anna = person()
    _first, second = bench.source.write(anna), bench.source.write(anna)
    bench.source.away = True
    threading.Timer(0.6, lambda: setattr(bench.source, "away", False)).start()
    assert bench.deliver([second])
    assert bench.order(anna) == [1, 2]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "null value"),
        (b"not json", "not a CloudEvent"),
        (b"[]", "not a CloudEvent"),
        (b"x" * 2_000_000, "2000000 bytes"),
        (b'{"specversion":"1.0"}', "not a CloudEvent"),
    ],
)
def test_what_cannot_be_read_is_set_aside_alone(bench: Bench, value: bytes | None, said: str) -> None:
    anna = person()
    good = bench.source.write(anna)
    assert bench.deliver([record(value, anna, 77), good])
    assert bench.order(anna) == [1]
    [letter] = bench.letters()
    assert (letter.kind, letter.place.offset) == ("set_aside", 77)
    assert said in letter.reason
    assert bench.deliver([record(value, anna, 77)]), "redelivered, it is stored once"
    assert len(bench.letters()) == 1


def test_unknown_types_versions_sources_and_misplaced_records_are_set_aside_alone(bench: Bench) -> None:
    anna = person()
    good = bench.source.write(anna)
    strange = [
        forged(good, type="jalons.referral.sung.v1", id=str(person())),
        forged(good, type="jalons.referral.received.v9", id=str(person())),
        forged(good, source="/services/elsewhere"),
        forged(good, sequence="0"),
        Record(good.topic, 0, 99, b"another key", good.value, SOURCE),
        Record("jalons.directory", 0, 98, good.key, good.value, SOURCE),
    ]
    assert bench.deliver([*strange, good])
    assert bench.order(anna) == [1]
    assert len(bench.letters()) == len(strange)
    assert all(letter.kind == "set_aside" for letter in bench.letters())


def test_an_event_its_source_never_wrote_is_set_aside(bench: Bench) -> None:
    anna = person()
    good = bench.source.write(anna)
    assert bench.deliver([good, forged(good, sequence="7", id=person())])
    [letter] = bench.letters()
    assert letter.reason == "not in its source's numbering"
    assert bench.order(anna) == [1]


def test_a_seen_number_under_another_id_is_a_conflict(bench: Bench) -> None:
    anna = person()
    first, second, third = (bench.source.write(anna) for _ in range(3))
    assert bench.deliver([first, second, third])
    assert bench.deliver([forged(first, id=person())])
    [letter] = bench.letters()
    assert (letter.kind, letter.reason) == ("forged", "forged: its source wrote another event under this number")
    assert bench.order(anna) == [1, 2, 3]


def test_our_own_source_is_passed_over_unread(bench: Bench) -> None:
    own = Record("jalons.pathways", 0, 5, b"x", b"not even json", "/services/observation")
    assert bench.deliver([own])
    assert bench.letters() == []


def test_a_failing_event_is_parked_its_subject_waits_and_everyone_else_goes_on(bench: Bench) -> None:
    anna, bela = person(), person()
    records = [bench.source.write(who) for who in (anna, anna, bela, anna, anna, bela)]
    bench.applied.broken = {(anna, 2)}
    assert bench.deliver(records)
    assert bench.order(anna) == [1]
    assert bench.order(bela) == [1, 2]
    [letter] = bench.letters()
    assert (letter.kind, letter.sequence, letter.waiting) == ("parked", 2, 2)
    assert "Broken" in letter.reason
    assert anna not in letter.reason, "the error's message may hold what it was about"

    assert bench.deliver(records), "redelivered, nothing changes"
    assert bench.order(anna) == [1]
    assert bench.letters() == [letter]

    assert bench.deliver.retry(letter.id) is not None, "not mended yet"
    assert bench.letters()[0].attempts == 2
    bench.applied.broken = set()
    assert bench.deliver.retry(letter.id) is None
    assert bench.order(anna) == [1, 2, 3, 4]
    assert bench.letters() == []
    assert bench.deliver([bench.source.write(anna)])
    assert bench.order(anna) == [1, 2, 3, 4, 5]


def test_a_retry_stops_at_the_next_event_that_fails(bench: Bench) -> None:
    anna = person()
    records = [bench.source.write(anna) for _ in range(5)]
    bench.applied.broken = {(anna, 2), (anna, 4)}
    assert bench.deliver(records)
    bench.applied.broken = {(anna, 4)}
    [letter] = bench.letters()
    assert "number 4" in str(bench.deliver.retry(letter.id))
    assert bench.order(anna) == [1, 2, 3]
    [letter] = bench.letters()
    assert (letter.sequence, letter.waiting) == (4, 1)
    bench.applied.broken = set()
    assert bench.deliver.retry(letter.id) is None
    assert bench.order(anna) == [1, 2, 3, 4, 5]


def test_what_is_set_aside_or_parked_is_announced_without_its_content(bench: Bench) -> None:
    anna = person()
    bench.applied.broken = {(anna, 1)}
    assert bench.deliver([record(b"secret words", anna, 3), bench.source.write(anna)])
    with transaction(bench.engine) as conn:
        said = conn.execute(select(log).order_by(log.c.appended)).all()
    assert {row.type for row in said} == {"jalons.dead_letter.set_aside.v1", "jalons.dead_letter.parked.v1"}
    assert all(row.topic == "jalons.dead-letters" for row in said)
    assert not any(b"secret" in row.value or anna.encode() in row.value for row in said)


def test_a_destroyed_key_leaves_the_sealed_part_unknown(bench: Bench) -> None:
    anna, bela = person(), person()
    erased = bench.source.write(anna, "jalons.referral.declined.v1")
    known = bench.source.write(bela, "jalons.referral.declined.v1")
    bench.source.keys[anna] = GONE
    assert bench.deliver([erased, known])
    assert bench.order(anna) == bench.order(bela) == [1]
    assert bench.applied.sealed_unknown == 1


def test_a_batch_that_waits_says_why_and_since_when(bench: Bench) -> None:
    anna = person()
    bench.source.write(anna)
    second = bench.source.write(anna)
    bench.source.away = True
    thread = threading.Thread(target=bench.deliver, args=([second],))
    thread.start()
    first = eventually(lambda: bench.deliver.waiting)
    asked = bench.source.asked
    eventually(lambda: bench.source.asked > asked + 1)
    assert bench.deliver.waiting == first, "the reason is the same, and so is its beginning"
    assert first.why == "away"
    assert f"jalons.pathways/0@{second.offset}" in str(first), "it says which event"
    assert REGISTRY.get_sample_value("jalons_batch_waiting_seconds", {"service": "observation"})
    bench.source.away = False
    thread.join(20)
    assert bench.deliver.waiting is None
    assert REGISTRY.get_sample_value("jalons_batch_waiting_seconds", {"service": "observation"}) == 0
    assert bench.order(anna) == [1, 2]


def test_four_workers_on_the_same_events_apply_each_once(database: Engine, bench: Bench) -> None:
    subjects = [person() for _ in range(40)]
    records = [bench.source.write(subject) for _ in range(10) for subject in subjects]
    workers = [new_bench(database, bench.source) for _ in range(4)]
    failures: list[Any] = []

    def work(worker: Bench, turn: int) -> None:
        for start in range(0, len(records), 50):
            batch = records[start : start + 50]
            if not worker.deliver(batch if turn % 2 else batch[::-1]):
                failures.append(turn)

    threads = [threading.Thread(target=work, args=(worker, turn)) for turn, worker in enumerate(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with transaction(database) as conn:
        assert count(conn, applied_events) == len(records)
    assert all(bench.order(subject) == list(range(1, 11)) for subject in subjects)
    assert bench.letters() == []


def test_a_claim_that_a_zombie_lost_writes_nothing(database: Engine, bench: Bench) -> None:
    """A worker that stopped in the middle of a batch resumes after another took over."""
    anna = person()
    records = [bench.source.write(anna) for _ in range(3)]
    asleep, go_on = threading.Event(), threading.Event()
    zombie = new_bench(database, bench.source)
    real = zombie.applied

    def slow(conn: Connection, events: Sequence[Event], *, publish: bool = True) -> None:
        asleep.set()
        assert go_on.wait(10)
        real(conn, events)

    zombie.deliver.apply = slow
    thread = threading.Thread(target=zombie.deliver, args=(records,))
    thread.start()
    assert asleep.wait(10)
    other = threading.Thread(target=bench.deliver, args=(records,))
    other.start()
    go_on.set()
    for each in (thread, other):
        each.join(20)
        assert not each.is_alive()
    assert bench.order(anna) == [1, 2, 3]


def test_a_database_that_vanishes_in_the_middle_loses_nothing(database: Engine, bench: Bench) -> None:
    anna = person()
    killed: list[bool] = []
    real = bench.applied

    def cut_once(conn: Connection, events: Sequence[Event], *, publish: bool = True) -> None:
        real(conn, events)
        if not killed:
            killed.append(True)
            pid = conn.scalar(select(func.pg_backend_pid()))
            with transaction(database) as other:
                other.execute(select(func.pg_terminate_backend(pid)))

    bench.deliver.apply = cut_once
    assert bench.deliver([bench.source.write(anna) for _ in range(3)])
    assert bench.order(anna) == [1, 2, 3]
    assert bench.letters() == []


def test_asked_to_stop_it_returns_unacknowledged(bench: Bench) -> None:
    bench.source.away = True
    anna = person()
    bench.source.write(anna)
    second = bench.source.write(anna)
    threading.Timer(0.3, bench.deliver.stopping.set).start()
    assert bench.deliver([second]) is False
    assert bench.order(anna) == []


def test_progress_is_the_first_thing_written(bench: Bench) -> None:
    """A row that does not exist yet cannot be locked, so a zombie could apply twice if apply came before the claim."""
    seen: list[int] = []

    def look(conn: Connection, events: Sequence[Event], *, publish: bool = True) -> None:
        seen.append(count(conn, progress))

    bench.deliver.apply = look
    assert bench.deliver([bench.source.write(person()), bench.source.write(person())])
    assert seen == [2]


def test_errors_of_the_database_pass_and_errors_of_the_event_do_not() -> None:
    for passing in (psycopg.errors.DeadlockDetected(), psycopg.errors.LockNotAvailable(), psycopg.OperationalError()):
        assert isinstance(outcome_of(passing), Retry)
    for lasting in (psycopg.errors.UniqueViolation(), psycopg.errors.NotNullViolation(), KeyError("x")):
        assert isinstance(outcome_of(lasting), Park)
