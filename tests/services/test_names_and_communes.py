"""What the directory may be told: names that can be read, mailboxes that can be written to, communes that exist."""

from __future__ import annotations

import pytest

from tests.support.apps import Apps
from tests.support.calls import offer, refused
from tests.support.network import PARTNERS, PROFILE

RECORD = PARTNERS["forem-marche"]


@pytest.mark.parametrize(
    "name", ["CPAS\u200b de Hotton", "\u202eCPAS", "12-34", "…", "\u3164", "CPAS\u2066x", "a\u00adb"]
)
def test_a_name_that_cannot_be_read_is_refused(apps: Apps, name: str) -> None:
    operator = apps.network.operator
    problem = refused(operator.call("PUT", "/partners/forem-marche", RECORD | {"name": name}), 422, "invalid")
    assert problem["fields"][0]["at"] == "name"
    refused(apps.network["le-trusquin"].call("PUT", "/offers/trying", offer(title=name)), 422, "invalid")


@pytest.mark.parametrize("mailbox", ["a@b", "é@forem.example", "a@b..be", "a@localhost", "a@-forem.be"])
def test_a_mailbox_that_no_server_takes_is_refused_at_the_door(apps: Apps, mailbox: str) -> None:
    body = RECORD | {"mailbox": mailbox}
    problem = refused(apps.network.operator.call("PUT", "/partners/forem-marche", body), 422, "invalid")
    assert problem["fields"][0]["at"] == "mailbox"


def test_a_mailbox_with_an_accent_in_its_domain_is_kept_in_letters(apps: Apps) -> None:
    operator = apps.network.operator
    put = operator.done("PUT", "/partners/forem-marche", RECORD | {"mailbox": "relais@xn--cpas-reze-f4ad.be"})
    assert put["mailbox"] == "relais@cpas-érezée.be"
    operator.done("PUT", "/partners/forem-marche", RECORD)


@pytest.mark.parametrize("nis", ["83000", "00000", "99999"])
def test_a_commune_that_there_is_not_is_refused(apps: Apps, nis: str) -> None:
    home, operator = apps.network["cpas-hotton"], apps.network.operator
    place = {"name": "Nulle part", "latitude": 50.0, "longitude": 5.0}
    refused(home.call("POST", "/beneficiaries", {"profile": PROFILE | {"commune_nis": nis}}), 422, "invalid")
    refused(home.call("GET", f"/offers?commune_nis={nis}"), 422, "invalid")
    refused(operator.call("PUT", f"/communes/{nis}", place), 422, "invalid")


def test_a_merged_commune_is_stored_as_the_one_of_today_with_a_note(apps: Apps) -> None:
    made = apps.network["cpas-hotton"].done("POST", "/beneficiaries", {"profile": PROFILE | {"commune_nis": "82003"}})
    assert made["profile"]["commune_nis"] == "82039"
    [note] = made["notes"]
    assert (note["code"], note["given"], note["stored"], note["name"]) == (
        *("commune_merged", "82003", "82039", "Bastogne"),
    )
    assert "Bastogne (82039)" in note["note"]
    assert "notes" not in apps.network["cpas-hotton"].done("POST", "/beneficiaries", {"profile": PROFILE})
