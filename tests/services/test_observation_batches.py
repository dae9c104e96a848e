"""What a batch of events changes on a real PostgreSQL: the timeline, derived events, and stalls published once."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Engine
from sqlalchemy import event as listening

from jalons.messaging import progress
from jalons.messaging.outbox import Outbox
from schemas.catalogue import TYPES
from schemas.envelope import Event
from schemas.examples import DATA
from services.observation.pathways.stalls import SILENCE, Stalls
from tests.services.test_observation_stage import (
    MORNING,
    REFERRALS,
    Person,
    apply,
    claim_and_apply,
    counts_of,
    derived_events,
    project,
    stream_events,
)

pytest_plugins = ["tests.services.test_observation_stage"]


def test_a_pathway_is_derived_with_its_causes(engine: Engine) -> None:
    events = Person().bilan()
    apply(engine, events)
    derived = derived_events(engine)
    assert [(e.type.split(".")[2], e.data.moment, e.causation) for e in derived] == [
        ("moment_entered", "accueil", events[0].id),
        ("moment_left", "accueil", events[3].id),
        ("moment_entered", "projet", events[3].id),
        ("moment_left", "projet", events[4].id),
    ]
    assert [e.sequence for e in derived] == [1, 2, 3, 4]
    assert [e.correlation for e in derived] == [e.correlation for e in (events[0], events[3], events[3], events[4])]
    assert {e.partner for e in derived} == {"cpas-hotton", "le-trusquin"}


def test_batch_size_changes_neither_the_result_nor_the_derived_ids(engine: Engine, postgres: str) -> None:
    one, other = Person(), Person()
    events = [e for pair in zip(one.bilan(), other.bilan(), strict=True) for e in pair]
    apply(engine, events)
    at_once = sorted((e.id, e.type, e.subject) for e in derived_events(engine))
    counted = counts_of(engine)
    with engine.begin() as conn:
        for table in ("timeline", "steps", "counts", "aliases", "events", "progress", "derivations"):
            conn.exec_driver_sql(f"TRUNCATE {table}")
    for event in events:
        apply(engine, [event])
    assert sorted((e.id, e.type, e.subject) for e in derived_events(engine)) == at_once
    assert counts_of(engine) == counted
    assert counted["persons_new"] == counted["trainings_started"] == 2


def test_a_rebuild_derives_without_publishing(engine: Engine) -> None:
    events = Person().bilan()
    with engine.begin() as conn:
        project()(conn, events, publish=False)
    assert derived_events(engine) == []
    assert [e.id for _, e in stream_events(engine)] == [e.id for e in events]
    with engine.begin() as conn:
        moments = conn.exec_driver_sql("SELECT moment FROM steps WHERE entered_at IS NOT NULL").scalars().all()
    assert set(moments) == {"accueil", "projet"}


def test_a_failed_batch_leaves_nothing_behind(engine: Engine) -> None:
    with pytest.raises(RuntimeError), engine.begin() as conn:
        claim_and_apply(conn, Person().bilan())
        raise RuntimeError
    later = Person().bilan()
    apply(engine, later)
    positions = [position for position, _ in stream_events(engine)]
    assert positions == list(range(1, 10))


def test_events_of_the_directory_are_not_in_the_stream(engine: Engine) -> None:
    directory = replace(Person().event("beneficiary.registered"), subject="le-trusquin", sealed=None)
    directory = replace(
        directory, data=TYPES["jalons.partner.registered.v1"].model_validate(DATA["jalons.partner.registered.v1"])
    )
    apply(engine, [directory])
    assert stream_events(engine) == []


def test_sealed_parts_are_not_stored_in_the_timeline(engine: Engine) -> None:
    apply(engine, Person().bilan())
    with engine.begin() as conn:
        kept = " ".join(conn.exec_driver_sql("SELECT data::text FROM timeline").scalars())
    assert "le-trusquin" in kept
    for secret in ("lower_secondary", "mobilite", "together", "acquired"):
        assert secret not in kept


def test_a_batch_takes_a_fixed_number_of_statements(engine: Engine) -> None:
    asked: list[str] = []
    listening.listen(engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    people = [Person() for _ in range(100)]
    apply(engine, [e for person in people for e in person.bilan()])
    assert len(asked) <= 12, asked
    assert len(stream_events(engine)) == 900


# Stalls


def stalls(engine: Engine) -> Stalls:
    return Stalls(engine, Outbox("observation"), REFERRALS)


def test_a_step_without_activity_for_ninety_days_is_published_as_stalled_once(engine: Engine) -> None:
    person = Person()
    *_, started, _ = events = person.bilan()
    apply(engine, events[:4])
    quiet = started.time + SILENCE
    assert stalls(engine).look(quiet) == 0
    assert stalls(engine).look(quiet + timedelta(seconds=1)) == 1
    assert stalls(engine).look(quiet + timedelta(days=9)) == 0
    stalled = derived_events(engine)[-1]
    assert (stalled.type, stalled.time, stalled.causation) == ("jalons.pathway.stalled.v1", quiet, started.id)
    assert (stalled.correlation, stalled.data.moment, stalled.sequence) == (started.correlation, "projet", 4)
    assert stream_events(engine)[-1][1].id == stalled.id


def test_accueil_closed_and_announced_steps_never_stall(engine: Engine) -> None:
    apply(engine, Person().bilan()[:3])
    apply(engine, Person().bilan())
    assert stalls(engine).look(MORNING + timedelta(days=900)) == 0


def test_a_round_waits_for_a_live_event_of_the_person_and_continues_its_numbering(engine: Engine) -> None:
    person = Person()
    apply(engine, person.bilan()[:4])
    person.sequence = 4
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
    assert [(e.sequence, e.type.split(".")[2]) for e in derived_events(engine)][-2:] == [
        (4, "moment_entered"),
        (5, "stalled"),
    ]


def test_two_concurrent_rounds_and_live_events_publish_each_stall_once(engine: Engine) -> None:
    people = [Person() for _ in range(70)]
    pathways = [person.bilan() for person in people]
    apply(engine, [e for pathway in pathways for e in pathway[:4]])
    now = MORNING + timedelta(days=200)
    found: list[int] = []
    looks = [threading.Thread(target=lambda: found.append(stalls(engine).look(now))) for _ in range(2)]
    for look in looks:
        look.start()
    for pathway in pathways[:10]:
        _until_applied(engine, pathway[4])
    for look in looks:
        look.join(30)
    derived = [e for e in derived_events(engine) if e.type == "jalons.pathway.stalled.v1"]
    assert len(derived) == sum(found)
    assert len({e.subject for e in derived}) == len(derived) >= 60
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
