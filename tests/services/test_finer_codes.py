"""A network's own reasons: taken where the reason they hang under is, and counted, told and shown as that one too."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.need import UnmetSealed
from schemas.referral import DeclinedSealed, SentSealed
from tests.support.apps import Apps
from tests.support.calls import refused
from tests.support.imports import worked_off
from tests.support.network import PROFILE
from tests.support.said import said

NO_BUS = {"parent": "distance_mobility", "label": "Pas de bus à cette heure"}
CODES = {
    "decline_reason/no_bus": NO_BUS,
    "end_reason/new_job_elsewhere": {"parent": "found_work", "label": "Un emploi hors de la zone"},
    "referral_reason/driving_theory": {"parent": "training", "label": "Permis théorique"},
}


@pytest.fixture(scope="module")
def known(apps: Apps) -> Apps:
    """The network with three reasons of its own."""
    for path, body in CODES.items():
        assert apps.network.operator.call("PUT", f"/codes/{path}", body).status_code == 201
    return apps


def test_the_network_s_own_codes_stand_last_in_their_list(known: Apps) -> None:
    lists = known.network["le-trusquin"].done("GET", "/codes")["lists"]
    assert lists["decline_reason"][-1] == {"code": "no_bus", **NO_BUS, "finer": True}
    assert not any(each.get("finer") for each in lists["decline_reason"][:-1])
    again = known.network.operator.call("PUT", "/codes/decline_reason/no_bus", NO_BUS | {"label": "Pas de bus"})
    assert again.status_code == 200
    known.network.operator.done("PUT", "/codes/decline_reason/no_bus", NO_BUS)


def test_a_finer_reason_is_its_parent_on_the_bus_and_itself_beside(known: Apps) -> None:
    home, operator = known.network["cpas-hotton"], known.network["le-trusquin"]
    made = home.refer("le-trusquin", reason="driving_theory")
    assert (made["reason"], made["finer"]) == ("training", "driving_theory")
    body = {"reason": "no_bus", "declined_by": "person"}
    declined = operator.done("POST", f"/referrals/{made['ref']}/decline", body)
    assert (declined["decline_reason"], declined["decline_finer"]) == ("distance_mobility", "no_bus")
    *_, sent, told, unmet = said(known, made["beneficiary"])
    assert isinstance(sent.sealed, SentSealed)
    assert (sent.sealed.reason, sent.sealed.finer) == ("training", "driving_theory")
    assert told.sealed == DeclinedSealed(reason="distance_mobility", declined_by="person", finer="no_bus")
    assert unmet.sealed == UnmetSealed(obstacle="mobilite", commune_nis="83028"), "as its parent is"

    operator.done("POST", f"/referrals/{made['ref']}/reopen", {"reason": "recorded_in_error"})
    again = home.done("GET", f"/referrals/{made['ref']}")
    assert not {"decline_reason", "decline_finer"} & again.keys(), "it was taken back whole"
    cancelled = home.done("POST", f"/referrals/{made['ref']}/cancel", {"reason": "new_job_elsewhere"})
    assert (cancelled["cancel_reason"], cancelled["cancel_finer"]) == ("found_work", "new_job_elsewhere")


def test_a_table_may_hold_its_label(known: Apps) -> None:
    heading = (
        "Dossier;Âge;Sexe;Commune;Études;Statut;Ménage;Destinataire;Moment;Motif;Objectif;Choisi par;Contact;Accord"
    )
    row = "F/1;25-29;F;6990;higher;ris;alone;le-trusquin;formation;{};qualify;together;person_comes;paper"
    table = "\n".join([heading, row.format("Permis théorique"), row.format("Permis de pêche")]).encode()
    rows = worked_off(known, known.network["cpas-hotton"], table, dry_run=True)["items"]
    assert [(each["row"], each.get("code", each["outcome"])) for each in rows] == [(2, "done"), (3, "invalid")]
    assert [each["field"] for each in rows[1]["faults"]] == ["reason"]


def test_a_person_may_leave_for_a_finer_reason(known: Apps) -> None:
    home = known.network["cpas-hotton"]
    person = home.done("POST", "/beneficiaries", {"profile": PROFILE})["beneficiary"]
    home.done("POST", f"/beneficiaries/{person}/leave", {"reason": "new_job_elsewhere"})
    sealed: Any = said(known, person)[-1].sealed
    assert (sealed.reason, sealed.finer) == ("found_work", "new_job_elsewhere")


def test_an_employer_reads_neither_the_reason_nor_the_finer_one(known: Apps) -> None:
    home, employer = known.network["cpas-hotton"], known.network["home-hotton"]
    made = home.refer("home-hotton", moment="experience", reason="driving_theory")
    employer.done("POST", f"/referrals/{made['ref']}/decline", {"reason": "no_bus", "declined_by": "person"})
    shown = employer.done("GET", f"/referrals/{made['ref']}")
    assert not {"reason", "finer", "decline_reason", "decline_finer"} & shown.keys()


@pytest.mark.parametrize("reason", ["no_train", "new_job_elsewhere", "Pas de bus"])
def test_a_code_that_its_list_has_not_is_refused(known: Apps, reason: str) -> None:
    home, operator = known.network["cpas-hotton"], known.network["le-trusquin"]
    made = home.refer("le-trusquin")
    body = {"reason": reason, "declined_by": "person"}
    problem = refused(operator.call("POST", f"/referrals/{made['ref']}/decline", body), 422, "invalid")
    assert "reason" in problem["fields"][0]["at"]
    assert operator.done("GET", f"/referrals/{made['ref']}")["status"] == "sent"


REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "no such parent": ("decline_reason/no_bike", {"parent": "found_work", "label": "Pas de vélo"}),
    "of another list": ("household/three", {"parent": "alone", "label": "Trois"}),
    "a code of the list itself": ("decline_reason/no_place", {"parent": "no_such_service", "label": "Complet"}),
    "another meaning": ("decline_reason/no_bus", {"parent": "schedule", "label": "Pas de bus"}),
    "no label": ("decline_reason/no_bike", {"parent": "schedule", "label": ""}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_code_that_would_change_what_is_known_is_refused(known: Apps, name: str) -> None:
    path, body = REFUSED[name]
    before = known.rows("referrals", "SELECT * FROM finer_codes ORDER BY 1, 2")
    refused(known.network.operator.call("PUT", f"/codes/{path}", body), 422, "invalid")
    assert known.rows("referrals", "SELECT * FROM finer_codes ORDER BY 1, 2") == before
