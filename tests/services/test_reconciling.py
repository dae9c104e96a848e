"""What Kafka lost is found by the reconciler, a gap fetch or a retry, and applied once."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY, generate_latest
from sqlalchemy import Engine

from jalons.database import transaction
from jalons.messaging.items import Record
from jalons.messaging.reconciler import Reconciler
from tests.support.delivery import Bench, applied_events, count, new_bench
from tests.support.events import SOURCE, forged, person, record


@pytest.fixture
def bench(database: Engine) -> Bench:
    with transaction(database) as conn:
        applied_events.create(conn)
    return new_bench(database)


def test_a_last_event_whose_ack_ran_ahead_of_its_commit_is_found_by_the_reconciler(bench: Bench) -> None:
    anna, bela = person(), person()
    assert bench.deliver([bench.source.write(anna)])
    bench.source.write(anna)  # acknowledged to Kafka, never applied
    bench.source.write(bela)
    reconciler = Reconciler(bench.deliver, 60)
    assert reconciler.look() == 2
    assert bench.order(anna) == [1, 2]
    assert bench.order(bela) == [1]
    assert reconciler.look() == 0
    bench.source.write(bela)
    assert reconciler.look() == 1, "from where it stopped"


def test_what_is_not_mended_shows_in_the_metrics(bench: Bench) -> None:
    anna = person()
    bench.applied.broken = {(anna, 1)}
    assert bench.deliver([record(b"not json", anna, 3), bench.source.write(anna)])
    Reconciler(bench.deliver, 60).measure()
    shown = generate_latest().decode()
    assert 'jalons_dead_letters_open{service="observation"} 2.0' in shown
    assert 'jalons_subjects_parked{service="observation"} 1.0' in shown


def test_gap_fetch_and_reconciler_leave_a_parked_subject_alone(bench: Bench) -> None:
    anna = person()
    bench.applied.broken = {(anna, 1)}
    assert bench.deliver([bench.source.write(anna)])
    bench.source.write(anna)
    assert Reconciler(bench.deliver, 60).look() == 0
    assert len(bench.letters()) == 1


def test_a_retry_applies_what_was_lost_behind_the_parked_event(bench: Bench) -> None:
    anna = person()
    bench.applied.broken = {(anna, 1)}
    assert bench.deliver([bench.source.write(anna)])
    bench.source.write(anna)  # lost on Kafka
    bench.source.write(anna, "jalons.beneficiary.erased.v1")  # lost too
    [letter] = bench.letters()
    bench.applied.broken = set()
    assert bench.deliver.retry(letter.id) is None
    assert bench.order(anna) == [1, 2, 3]
    assert bench.letters() == []
    assert Reconciler(bench.deliver, 60).look() == 0, "nothing is left to find"


def test_a_retry_of_a_record_set_aside_fetches_what_was_lost_behind_it(bench: Bench) -> None:
    anna = person()
    first = bench.source.write(anna)
    assert bench.deliver([Record(first.topic, 0, 99, b"another key", first.value, SOURCE)])
    bench.source.write(anna)  # lost on Kafka
    [letter] = bench.letters()
    assert bench.deliver.retry(letter.id) is None
    assert bench.order(anna) == [1, 2]
    assert bench.letters() == []


def test_what_was_lost_behind_a_parked_event_is_found_after_a_retry_without_the_source(bench: Bench) -> None:
    anna, bela = person(), person()
    bench.applied.broken = {(anna, 1)}
    assert bench.deliver([bench.source.write(anna)])
    bench.source.write(anna)  # lost on Kafka
    bench.source.write(bela)  # lost too
    assert Reconciler(bench.deliver, 60).look() == 1, "a parked subject does not hold up the others"
    assert bench.order(bela) == [1]
    assert Reconciler(bench.deliver, 60).look() == 0, "what was applied is not applied again"
    [letter] = bench.letters()
    bench.applied.broken = set()
    bench.source.away = True
    assert bench.deliver.retry(letter.id) is None
    bench.source.away = False
    assert bench.order(anna) == [1]
    assert Reconciler(bench.deliver, 60).look() == 1, "the position before it was not noted as compared"
    assert bench.order(anna) == [1, 2]
    assert Reconciler(bench.deliver, 60).look() == 0


def test_a_running_reconciler_goes_back_to_a_subject_that_was_parked(bench: Bench) -> None:
    anna = person()
    bench.applied.broken = {(anna, 1)}
    assert bench.deliver([bench.source.write(anna)])
    bench.source.write(anna)  # lost on Kafka
    reconciler = Reconciler(bench.deliver, 60)
    assert reconciler.look() == 0
    [letter] = bench.letters()
    bench.applied.broken = set()
    bench.source.away = True
    assert bench.deliver.retry(letter.id) is None
    bench.source.away = False
    assert reconciler.look() == 1
    assert bench.order(anna) == [1, 2]


def test_a_gap_in_what_waits_behind_a_parked_event_is_fetched_before_anything_is_dropped(bench: Bench) -> None:
    anna = person()
    first, _lost, third, fourth = (bench.source.write(anna) for _ in range(4))
    bench.applied.broken = {(anna, 1)}
    assert bench.deliver([first, third, fourth])
    [letter] = bench.letters()
    assert letter.waiting == 2
    bench.applied.broken = set()
    bench.source.away = True
    assert bench.deliver.retry(letter.id) is not None, "the gap cannot be filled now"
    assert bench.order(anna) == []
    assert bench.letters()[0].waiting == 2, "nothing was dropped"
    bench.source.away = False
    assert bench.deliver.retry(letter.id) is None
    assert bench.order(anna) == [1, 2, 3, 4]
    assert bench.waiting() == 0


def test_a_waiting_event_that_its_source_never_wrote_is_set_aside_by_the_retry(bench: Bench) -> None:
    anna = person()
    first, second = (bench.source.write(anna) for _ in range(2))
    bench.applied.broken = {(anna, 1)}
    assert bench.deliver([first, second, forged(second, sequence="9", id=person())])
    [letter] = bench.letters()
    bench.applied.broken = set()
    assert bench.deliver.retry(letter.id) is None
    assert bench.order(anna) == [1, 2]
    [forgery] = bench.letters()
    assert (forgery.kind, forgery.reason) == ("set_aside", "not in its source's numbering")
    assert bench.waiting() == 0


def test_live_delivery_has_a_whole_round_before_the_reconciler_fetches(bench: Bench) -> None:
    anna, bela = person(), person()
    bench.source.write(anna)  # lost on Kafka
    late = bench.source.write(bela)  # on its way
    reconciler = Reconciler(bench.deliver, 60)
    assert reconciler.round() == 0
    assert bench.order(anna) == []
    assert bench.deliver([late])
    assert reconciler.round() == 1
    assert bench.order(anna) == bench.order(bela) == [1]


def test_what_another_service_set_aside_is_not_missing_here(bench: Bench) -> None:
    """Its dead letters are in its log, on a topic that no service follows."""
    for _ in range(6):
        bench.source.write(person(), "jalons.dead_letter.set_aside.v1")
    anna = person()
    bench.source.write(anna)
    assert Reconciler(bench.deliver, 60).look() == 1
    assert bench.order(anna) == [1]
    with transaction(bench.engine) as conn:
        assert count(conn, applied_events) == 1


def test_only_events_that_were_missing_and_are_applied_count_as_reconciled(bench: Bench) -> None:
    anna, bela, cleo, dora = (person() for _ in range(4))
    bench.applied.broken = {(anna, 1), (bela, 1)}
    assert bench.deliver([bench.source.write(anna)])
    bench.source.write(anna)  # behind a parked event
    bench.source.write(bela)  # cannot be applied
    late = bench.source.write(cleo)  # on its way: it arrives while the source is asked
    bench.source.write(dora)  # lost on Kafka
    bench.source.on_after = lambda subject: subject == cleo and bench.deliver([late])
    before = _reconciled()
    assert Reconciler(bench.deliver, 60).look() == 1
    assert _reconciled() - before == 1
    assert bench.order(cleo) == bench.order(dora) == [1]


def _reconciled() -> float:
    return REGISTRY.get_sample_value("jalons_reconciled_total", {"service": "observation"}) or 0.0
