"""Where a source and its reader disagree, the source's log decides: what it did not write is named."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import Engine

from jalons.database import transaction
from jalons.messaging import dead_letters
from jalons.messaging.items import Record
from jalons.messaging.outcomes import Done, Retry
from jalons.messaging.reconciler import Reconciler
from jalons.privacy.keys import GONE
from tests.support.delivery import Bench, applied_events, new_bench
from tests.support.events import forged, person

RECEIVED = "jalons.referral.received.v1"
ERASED = "jalons.beneficiary.erased.v1"


@pytest.fixture
def bench(database: Engine) -> Bench:
    with transaction(database) as conn:
        applied_events.create(conn)
    return new_bench(database)


def all_letters(bench: Bench) -> list[dead_letters.DeadLetter]:
    with transaction(bench.engine) as conn:
        return dead_letters.listed(conn, unresolved=False)


def test_a_retry_after_a_conflict_says_that_nothing_was_applied(bench: Bench) -> None:
    anna = person()
    first, second = bench.source.write(anna), bench.source.write(anna)
    assert bench.deliver([first, second, forged(first, id=person())])
    [letter] = bench.letters()
    assert letter.kind == "forged"
    said = bench.deliver.retry(letter.id)
    assert said is not None and "not applied: forged" in said
    assert bench.order(anna) == [1, 2]
    assert bench.letters() == [], "there is nothing more to do"


def test_what_the_source_says_is_applied_after_a_forged_one_took_its_number(bench: Bench) -> None:
    anna = person()
    first = bench.source.write(anna)
    forgery = forged(first, sequence="2", id=person())
    assert bench.deliver([first, forgery])
    second, third = bench.source.write(anna), bench.source.write(anna)
    assert bench.deliver([second, third])
    assert sorted(bench.order(anna)) == [1, 2, 2, 3], "the forged one, and all that the source wrote"
    [letter] = bench.letters()
    assert (letter.kind, letter.sequence) == ("forged", 2)
    assert "its source's own event was applied" in letter.reason
    assert bench.deliver([second, third, first]), "redelivered, nothing changes"
    assert len(bench.order(anna)) == 4
    assert "in its place now" in str(bench.deliver.retry(letter.id))
    assert bench.letters() == []


def test_what_the_source_says_but_cannot_be_applied_is_kept_and_retried(bench: Bench) -> None:
    anna = person()
    first = bench.source.write(anna)
    assert bench.deliver([forged(first, id=person())])
    bench.applied.broken = {(anna, 1)}
    assert bench.deliver([first])
    [letter] = [each for each in bench.letters() if each.kind == "set_aside"]
    assert "its source's own" in letter.reason
    bench.deliver.retry(letter.id)
    assert letter.id in {each.id for each in bench.letters()}, "not mended yet: nothing was applied"
    bench.applied.broken = set()
    assert bench.deliver.retry(letter.id) is None
    assert bench.order(anna) == [1, 1]


def test_a_conflict_waits_for_a_source_that_is_away(bench: Bench) -> None:
    first = bench.source.write(person())
    assert bench.deliver([first])
    bench.source.away = True
    forgery = forged(first, id=person())
    assert isinstance(bench.deliver.attempt([bench.deliver.item(forgery)]), Retry)
    bench.source.away = False
    assert bench.deliver([forgery])
    [letter] = bench.letters()
    bench.source.away = True
    assert "away" in str(bench.deliver.retry(letter.id))
    assert [each.id for each in bench.letters()] == [letter.id]


def test_a_retry_of_what_was_applied_meanwhile_is_no_mend(bench: Bench) -> None:
    anna = person()
    first = bench.source.write(anna)
    misplaced = type(first)(first.topic, 0, 77, b"another key", first.value, first.source)
    assert bench.deliver([misplaced, first])
    [letter] = bench.letters()
    assert "applied already" in str(bench.deliver.retry(letter.id))
    assert bench.letters() == []
    assert bench.order(anna) == [1]


def test_a_parked_event_that_the_source_did_not_write_gives_way_to_its_own(bench: Bench) -> None:
    anna = person()
    real = bench.source.write(anna)
    bench.applied.broken = {(anna, 1)}
    assert bench.deliver([forged(real, id=person()), real])
    bench.source.write(anna)
    bench.applied.broken = set()
    [letter] = bench.letters()
    assert "forged" in str(bench.deliver.retry(letter.id))
    assert bench.order(anna) == [1, 2]
    [forgery] = bench.letters()
    assert forgery.kind == "forged"
    assert "not applied" in str(bench.deliver.retry(forgery.id))
    assert bench.letters() == []


def test_each_minute_the_source_is_asked_about_what_was_applied(bench: Bench) -> None:
    anna, bela = person(), person()
    first = bench.source.write(anna)
    assert bench.deliver([first, bench.source.write(bela)])
    reconciler = Reconciler(bench.deliver, 60)
    assert reconciler.ask() == 0
    assert bench.deliver([forged(first, sequence="2", id=person())])
    before = REGISTRY.get_sample_value("jalons_forged_total", {"service": "observation"}) or 0.0
    reconciler.round()
    [letter] = bench.letters()
    assert (letter.kind, letter.subject, letter.sequence) == ("forged", anna, 2)
    assert REGISTRY.get_sample_value("jalons_forged_total", {"service": "observation"}) == before + 1
    assert REGISTRY.get_sample_value("jalons_forged_open", {"service": "observation"}) == 1
    [said] = reconciler.unknown()
    assert str(letter.id) in said and anna not in said, "health is for everybody"
    reconciler.round()
    assert len(bench.letters()) == 1, "named once"
    assert "does not have it" in str(bench.deliver.retry(letter.id))
    bench.source.write(anna)
    bench.deliver.applied.add(letter.source or "", anna)
    reconciler.round()
    assert bench.order(anna) == [1, 2, 2], "what the source says is applied, though it never came"
    assert "in its place now" in str(bench.deliver.retry(letter.id))
    reconciler.round()
    assert bench.letters() == []
    assert reconciler.unknown() == []
    assert REGISTRY.get_sample_value("jalons_forged_open", {"service": "observation"}) == 0


def test_what_was_applied_before_a_kill_is_asked_about_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jalons.messaging.reconciler.PAGE", 2)
    records = [bench.source.write(person()) for _ in range(5)]
    assert bench.deliver([*records, forged(records[3], sequence="2", id=person())])
    restarted = Reconciler(new_bench(bench.engine, bench.source).deliver, 60)
    assert sum(restarted.ask() for _ in range(3)) == 1
    assert len(bench.letters()) == 1


def test_a_source_that_is_away_is_asked_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    first = bench.source.write(person())
    assert bench.deliver([first, forged(first, sequence="2", id=person())])
    reconciler = Reconciler(bench.deliver, 60)
    bench.source.away = True
    with pytest.raises(Exception, match="away"):
        reconciler.ask()
    bench.source.away = False
    assert reconciler.ask() == 1


def test_a_person_is_erased_only_when_the_key_is_gone(bench: Bench) -> None:
    """A forged `erased` wiped a living person."""
    anna = person()
    first = bench.source.write(anna)
    lie = forged(_erasure(bench), subject=anna, sequence="2", partitionkey=anna, id=person())
    assert bench.deliver([first, lie])
    assert bench.order(anna) == [1]
    [letter] = bench.letters()
    assert letter.kind == "forged" and "erased" in letter.reason
    assert bench.deliver([bench.source.write(anna)]), "nobody waits for it"
    assert bench.order(anna) == [1, 2]
    assert "forged" in str(bench.deliver.retry(letter.id))


def test_an_erasure_is_asked_about_past_the_cache(bench: Bench) -> None:
    anna = person()
    assert bench.deliver([bench.source.write(anna, "jalons.beneficiary.registered.v1")]), "its key is in the cache now"
    assert bench.deliver([bench.source.write(anna, ERASED)])
    assert bench.order(anna) == [1, 2]
    assert bench.source.keys[anna] is GONE


def test_an_erasure_that_the_source_wrote_waits_for_the_key_to_be_destroyed(bench: Bench) -> None:
    anna, bela = person(), person()
    erasure = bench.source.write(anna, ERASED)
    bench.source.keys[anna] = b"k" * 32
    outcome = bench.deliver.attempt([bench.deliver.item(each) for each in (erasure, bench.source.write(bela))])
    assert isinstance(outcome, Done)
    assert (bench.order(anna), bench.order(bela)) == ([], [1])
    [letter] = bench.letters()
    assert letter.kind == "parked"
    bench.source.keys[anna] = GONE
    assert bench.deliver.retry(letter.id) is None
    assert bench.order(anna) == [1]


def _erasure(bench: Bench) -> Record:
    return bench.source.write(person(), ERASED)
