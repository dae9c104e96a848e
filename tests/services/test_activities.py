"""An activity of one's own: it ends the accompaniment it came from, and opens nothing."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from schemas.activity import CreatedSealed, CreatedV1
from tests.support.apps import Apps
from tests.support.calls import refused
from tests.support.days import day
from tests.support.network import PROFILE, Partner
from tests.support.said import said

MADE = {"on": day(-7), "form": "cooperative_activites"}
SENSE = {"goal": "create_activity", "chosen_by": "person", "planned_start": day(-57)}


def accompanied(apps: Apps, kind: str = "accompagnement_creation") -> tuple[dict[str, Any], str, str]:
    """A person whom Le Trusquin accompanies: the referral, the alias, the training, begun on 1 October."""
    home, operator = apps.network["cpas-hotton"], apps.network["le-trusquin"]
    made = home.refer("le-trusquin")
    alias = operator.done("GET", f"/referrals/{made['ref']}")["beneficiary"]
    training = operator.done("POST", "/trainings", SENSE | {"beneficiary": alias, "kind": kind})
    operator.done("POST", f"/trainings/{training['ref']}/start", {"started_on": day(-57)})
    return made, alias, training["training_id"]


def way(apps: Apps, home: Partner, person: str) -> list[tuple[str, bool]]:
    """The moments in order, and whether each is left."""
    apps.tell()
    shown = home.done("GET", f"/pathways/{person}", service="observation")
    return [(step["moment"], step["left_at"] is not None) for step in shown["steps"]]


def test_an_activity_ends_the_accompaniment_under_way_and_nothing_else(apps: Apps) -> None:
    home, operator = apps.network["cpas-hotton"], apps.network["le-trusquin"]
    made, alias, training = accompanied(apps)
    person = made["beneficiary"]
    course = operator.done("POST", "/trainings", SENSE | {"beneficiary": alias, "kind": "remise_a_niveau"})
    operator.done("POST", f"/trainings/{course['ref']}/start", {"started_on": day(-53)})
    assert way(apps, home, person) == [("preparation_emploi", False), ("preformation", False), ("accueil", True)]

    answer = operator.call("POST", "/activities", MADE | {"beneficiary": alias})
    assert answer.status_code == 201
    activity = answer.json()
    assert activity == MADE | {
        "activity_id": activity["activity_id"],
        "beneficiary": alias,
        "said_by": "le-trusquin",
        "training_id": training,
    }
    assert way(apps, home, person) == [("preparation_emploi", True), ("preformation", False), ("accueil", True)]
    event = said(apps, person)[-1]
    assert isinstance(event.data, CreatedV1)
    assert event.sealed == CreatedSealed(form="cooperative_activites")
    assert event.time.date().isoformat() == day(-7)
    shown = home.done("GET", f"/activities/{activity['activity_id']}")
    assert shown == activity | {"beneficiary": person}
    assert home.done("GET", f"/activities?beneficiary={person}")["items"] == [shown]
    refused(apps.network["cpas-erezee"].call("GET", f"/activities/{activity['activity_id']}"), 404, "not_found")
    counted = operator.done("GET", "/counts?measure=activities_created&by=moment", service="observation")
    assert [cell["moment"] for cell in counted["cells"]] == ["preparation_emploi"]
    assert operator.done("GET", f"/trainings/{training}")["status"] == "started", "its outcome is still to be said"


def test_it_needs_no_accompaniment(apps: Apps) -> None:
    home = apps.network["cpas-hotton"]
    person = home.done("POST", "/beneficiaries", {"profile": PROFILE})["beneficiary"]
    activity = home.done("POST", "/activities", MADE | {"beneficiary": person})
    assert "training_id" not in activity
    assert way(apps, home, person) == [("accueil", False)], "it opens nothing"


def test_another_accompaniment_to_work_may_be_named(apps: Apps) -> None:
    home = apps.network["cpas-hotton"]
    made, _, training = accompanied(apps, "accompagnement_emploi")
    body = MADE | {"beneficiary": made["beneficiary"]}
    assert "training_id" not in home.done("POST", "/activities", body), "it is none to an activity"
    assert home.done("POST", "/activities", body | {"training_id": training})["training_id"] == training
    assert ("preparation_emploi", True) in way(apps, home, made["beneficiary"])


REFUSED: dict[str, tuple[dict[str, Any], int, str]] = {
    "tomorrow": ({"on": "2199-01-01"}, 422, "invalid"),
    "another form": ({"form": "bakery"}, 422, "invalid"),
    "a training that is not there": ({"training_id": str(uuid4())}, 422, "invalid"),
    "a person nobody knows": ({"beneficiary": str(uuid4())}, 404, "not_found"),
    "a text": ({"name": "Chez Jeanne"}, 422, "unknown_field"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_activity_that_is_not_of_its_form_is_refused_whole(apps: Apps, name: str) -> None:
    home = apps.network["cpas-hotton"]
    person = home.done("POST", "/beneficiaries", {"profile": PROFILE})["beneficiary"]
    change, status, code = REFUSED[name]
    refused(home.call("POST", "/activities", MADE | {"beneficiary": person} | change), status, code)
    assert home.done("GET", f"/activities?beneficiary={person}") == {"items": []}


def test_an_erased_persons_activities_are_gone(apps: Apps) -> None:
    home = apps.network["cpas-hotton"]
    person = home.done("POST", "/beneficiaries", {"profile": PROFILE})["beneficiary"]
    activity = home.done("POST", "/activities", MADE | {"beneficiary": person})
    home.done("DELETE", f"/beneficiaries/{person}")
    refused(home.call("GET", f"/activities/{activity['activity_id']}"), 404, "not_found")
    assert person not in str(apps.rows("referrals", "SELECT * FROM activities"))
