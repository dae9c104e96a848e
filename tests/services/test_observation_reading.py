"""Who sees what of a pathway, and who counts what."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from schemas.envelope import Event
from tests.services.test_observation_stage import (
    MORNING,
    SECRET,
    Api,
    Person,
    alias_of,
    apply,
)
from tests.support.own import own

pytest_plugins = ["tests.services.test_observation_stage"]


# Who sees what of a pathway


def test_the_home_partner_sees_steps_with_cause_and_meaning_and_every_event(engine: Engine, api: Api) -> None:
    person = Person()
    events = person.bilan()
    apply(engine, events)
    pathway = api.get("cpas-hotton", f"/pathways/{person.ref}")
    assert pathway["beneficiary"] == person.ref
    assert [(s["moment"], s["partner"], s["cause"]) for s in pathway["steps"]] == [
        ("accueil", "cpas-hotton", own(SECRET, events[0].id, "cpas-hotton")),
        ("projet", "le-trusquin", own(SECRET, events[3].id, "cpas-hotton")),
    ]
    assert pathway["steps"][1]["meaning"] == {"goal": "qualify", "chosen_by": "together", "follows": None}
    assert all(step["left_at"] for step in pathway["steps"])
    assert [(e["type"], e["sequence"], e["causation"]) for e in pathway["events"]] == [
        (e.type, e.sequence, own(SECRET, e.causation, "cpas-hotton")) for e in events
    ]
    assert set(pathway["events"][0]) == {"id", "type", "source", "time", "recorded", "partner", "sequence", "causation"}


def test_another_partner_asks_by_its_own_alias_and_sees_what_it_took_part_in(engine: Engine, api: Api) -> None:
    person, job = Person(), uuid4()
    work = [
        person.event(f"placement.{what}", day, placement_id=job) for what, day in (("proposed", 20), ("started", 21))
    ]
    apply(engine, list(_renumbered(person, [*person.bilan(), *work])))
    mine = alias_of(person.ref, "le-trusquin")
    pathway = api.get("le-trusquin", f"/pathways/{mine}")
    assert pathway["beneficiary"] == str(mine)
    assert [e["type"].split(".")[1] for e in pathway["events"]] == ["referral", "referral", "training", "training"]
    assert all(set(e) == {"id", "type", "source", "time", "recorded", "partner"} for e in pathway["events"])
    assert [(s["moment"], s["partner"], s["meaning"]["goal"]) for s in pathway["steps"]] == [
        ("projet", "le-trusquin", None)
    ]
    assert person.ref not in json.dumps(pathway)

    employer = api.get("maison-de-repos-hotton", f"/pathways/{alias_of(person.ref, 'maison-de-repos-hotton')}")
    assert all(set(e) == {"id", "type", "source", "time", "recorded"} for e in employer["events"])
    assert len(employer["events"]) == 2
    assert "cpas-hotton" not in json.dumps(employer)


def _renumbered(person: Person, events: list[Event]) -> Iterator[Event]:
    for number, event in enumerate(events, 1):
        yield replace(event, sequence=number)
    person.sequence = len(events)


def test_nobody_else_finds_the_person_by_ref_or_alias(engine: Engine, api: Api) -> None:
    person = Person()
    apply(engine, person.bilan())
    others = alias_of(person.ref, "le-trusquin")
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
        pathway = api.get("cpas-hotton", path, as_of=(MORNING + timedelta(days=days)).isoformat())
        return len(pathway["events"]), [(s["moment"], s["left_at"] is None) for s in pathway["steps"]]

    assert then(-1) == (0, [])
    assert then(3) == (3, [("accueil", True)])
    assert then(12) == (4, [("accueil", False), ("projet", True)]), "it ended on day 9, but that was not reported yet"
    assert then(31) == (5, [("accueil", False), ("projet", False)])
    assert api.ask("cpas-hotton", path, as_of="2026-03-04T10:00:00").status_code == 422


# Counts


@pytest.fixture
def counted(engine: Engine, api: Api) -> Api:
    """Two persons of Hotton and one of Érezée, all for a bilan at Le Trusquin; and a trial."""
    trial = Person()
    people = [Person(), Person(), Person(home="cpas-erezee")]
    apply(engine, [e for person in people for e in person.bilan()])
    apply(engine, [trial.event("beneficiary.registered", trial=True)])
    apply(engine, [trial.event("referral.sent", referral_id=uuid4(), trial=True)])
    return api


def test_a_home_partner_counts_its_persons_exactly(counted: Api) -> None:
    table = counted.get("cpas-hotton", "/counts", measure="referrals_sent", by="month,partner,home")
    assert table["scope"] == "own"
    assert table["cells"] == [
        {"month": "2026-03", "partner": "le-trusquin", "home": "cpas-hotton", "n": 2, "shown": "2"}
    ]
    assert table["total"] == 2


def test_a_receiver_counts_what_it_received_without_seeing_the_home(counted: Api) -> None:
    table = counted.get("le-trusquin", "/counts", measure="trainings_started", by="home,moment")
    assert table["cells"] == [{"home": None, "moment": "projet", "n": 3, "shown": "3"}]
    assert counted.get("le-trusquin", "/counts", measure="persons_new")["total"] == 0


def test_the_coordinator_counts_the_whole_network(counted: Api) -> None:
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


def test_network_counts_are_hidden_until_periods_are_closed(counted: Api) -> None:
    ask = {"measure": "referrals_sent", "scope": "network"}
    table = counted.get("cpas-hotton", "/counts", **ask, by="month", **{"from": "2026-02", "to": "2026-04"})
    assert table["cells"] == [{"month": f"2026-0{m}", "n": None, "shown": "–"} for m in (2, 3, 4)]
    assert table["total"] is None
    crossed = counted.get("statistics", "/counts", measure="referrals_sent", by="month,partner")
    assert crossed["scope"] == "network"
    assert crossed["cells"] == [{"month": None, "partner": None, "n": None, "shown": "–"}]
    assert counted.ask("statistics", "/counts", measure="referrals_sent", scope="own").status_code == 403


def test_an_invalid_question_is_refused_with_the_valid_values(counted: Api) -> None:
    for query, code in [
        ({"measure": "happiness"}, "unknown_measure"),
        ({"measure": "persons_new", "by": "age_band"}, "unknown_dimension"),
        ({"measure": "persons_new", "from": "2026-05", "to": "2026-04"}, "bad_range"),
        ({"measure": "persons_new", "from": "1900-01", "to": "2026-04", "scope": "network"}, "bad_range"),
        ({"measure": "persons_new", "to": "0001-04", "scope": "network"}, "bad_range"),
    ]:
        answer = counted.ask("coordinator", "/counts", **query)
        assert (answer.status_code, answer.json()["code"]) == (422, code)
    refused = counted.ask("coordinator", "/counts", measure="persons_new", by="age_band").json()
    offered = counted.get("coordinator", "/counts/measures")
    assert set(refused["known"]) == set(offered["dimensions"]) == {"month", "home", "partner", "moment"}
    assert {m["name"] for m in offered["measures"]} >= {"persons_new", "placements_started"}
