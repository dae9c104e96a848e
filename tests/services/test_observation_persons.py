"""How a person's accompaniment, agreements and erasure change what observation stores."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy import Engine, text

from schemas.envelope import Event
from services.observation.pathways import rows as store
from tests.services.test_observation_batches import stalls
from tests.services.test_observation_stage import (
    FORGOTTEN_KEYS,
    MORNING,
    Person,
    alias_of,
    apply,
    engine,
    stream_events,
)

__all__ = ["engine"]


def trained(person: Person) -> list[Event]:
    """Registered, and in an open training."""
    return [person.event("beneficiary.registered"), person.event("training.started", 5, moment="projet")]


def test_a_paused_person_never_stalls_and_resuming_restarts_the_ninety_days(engine: Engine) -> None:
    person = Person()
    apply(engine, [*trained(person), person.event("beneficiary.paused", 6)])
    assert stalls(engine).look(MORNING + timedelta(days=400)) == 0
    apply(engine, [person.event("beneficiary.resumed", 400)])
    assert stalls(engine).look(MORNING + timedelta(days=489)) == 0
    assert stalls(engine).look(MORNING + timedelta(days=491)) == 1


def test_a_person_who_leaves_ends_accueil_only(engine: Engine) -> None:
    welcomed, learner = Person(), Person()
    apply(engine, [welcomed.event("beneficiary.registered"), welcomed.event("beneficiary.left", 3)])
    apply(engine, [*trained(learner), learner.event("beneficiary.left", 6)])
    with engine.begin() as conn:
        [accueil] = store.steps_of(conn, UUID(welcomed.ref), MORNING + timedelta(days=9))
        steps = store.steps_of(conn, UUID(learner.ref), MORNING + timedelta(days=9))
    assert accueil.left_at == MORNING + timedelta(days=3)
    assert [(step.moment, step.open) for step in steps] == [("accueil", False), ("projet", True)]


def test_a_pathway_is_hidden_from_a_partner_that_no_agreement_covers_any_more(engine: Engine) -> None:
    person = Person()
    apply(engine, person.bilan())
    mine = alias_of(person.ref, "le-trusquin")

    def known() -> bool:
        with engine.begin() as conn:
            assert store.person_of(conn, UUID(person.ref), "cpas-hotton"), "never hidden from the home partner"
            return store.person_of(conn, mine, "le-trusquin") is not None

    assert known()
    apply(engine, [person.event("consent.withdrawn", 10)])
    assert not known()
    apply(engine, [person.event("training.enrolled", 11, partner="le-trusquin", referral_id=None)])
    assert not known(), "an act of the partner itself does not show the person again"
    apply(engine, [person.event("consent.given", 12)])
    assert not known(), "an agreement that does not cover the partner's acts"
    apply(engine, [person.event("consent.given", 12, restored=["le-trusquin"])])
    assert known()
    apply(engine, [person.event("consent.expired", 13), person.event("referral.sent", 14, referral_id=uuid4())])
    assert known(), "a new referral needs an agreement"


def test_an_erased_person_is_deleted_and_counts_stay_whether_live_or_replayed(engine: Engine) -> None:
    live, replayed, other = Person(), Person(), Person()
    apply(engine, [*other.bilan(), *live.bilan()])
    apply(engine, [live.event("beneficiary.erased", 20)])
    apply(engine, [replace(e, sealed=None) for e in [*replayed.bilan(), replayed.event("beneficiary.erased", 20)]])
    assert FORGOTTEN_KEYS[-2:] == [live.ref, replayed.ref]
    with engine.begin() as conn:
        for person in (live, replayed):
            assert store.person_of(conn, UUID(person.ref), person.home) is None
            assert store.person_of(conn, alias_of(person.ref, "le-trusquin"), "le-trusquin") is None
            for table in ("timeline", "steps", "aliases", "derivations"):
                found = conn.execute(
                    text(f"SELECT count(*) FROM {table} WHERE subject::text = :ref"), {"ref": person.ref}
                )
                assert found.scalar() == 0, table
        assert store.person_of(conn, UUID(other.ref), other.home)
        counted = conn.execute(text("SELECT sum(n) FROM counts WHERE measure = 'persons_new'")).scalar()
        assert counted == 3, "raw totals stay"
        assert conn.execute(text("SELECT count(*) FROM forgotten")).scalar() == 1, "one receipt in the example"
    assert {event.subject for _, event in stream_events(engine)} == {other.ref}
