"""An error speaks the reader's language, names the field and what is allowed, and shows no validator's raw text."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support.apps import Apps
from tests.support.calls import offer, refused, sheet
from tests.support.network import PARTNERS, PROFILE

RAW = re.compile("Input should|Field required|String should|Value error|validator|pattern|literal|function-|regex")
WRONG: list[tuple[str, str, Any, str]] = [
    ("POST", "/referrals", {}, "moment"),
    ("POST", "/referrals", sheet(moment="nonsense"), "moment"),
    ("POST", "/referrals", sheet(reason=3), "reason"),
    ("POST", "/referrals", sheet(follows="nonsense"), "follows"),
    ("POST", "/referrals", sheet(note="x"), "note"),
    ("POST", "/referrals", sheet(happened_on="hier"), "happened_on"),
    ("POST", "/referrals", sheet(beneficiary="nonsense", person=None), "beneficiary"),
    ("POST", "/beneficiaries", {"profile": PROFILE | {"obstacles": "mobilite"}}, "profile.obstacles"),
    ("POST", "/beneficiaries", {"profile": PROFILE, "local_ref": "Dupont Marie"}, "local_ref"),
    ("POST", "/needs", {"met_by_offer": 3}, "met_by_offer"),
    ("PUT", "/offers/trying", offer(places="beaucoup"), "places"),
    ("PUT", "/offers/trying", offer(title="x" * 201), "title"),
    ("PUT", "/offers/trying", offer(commune_nis="00000"), "commune_nis"),
    ("PUT", "/partners/trying", PARTNERS["forem-marche"] | {"mailbox": "a@b", "phone": "x"}, "mailbox"),
    ("GET", "/referrals?status=waitlist", None, "status"),
    ("GET", "/offers?within_km=loin", None, "within_km"),
    ("GET", "/referrals/R-7K4M-2QX?statut=x", None, ""),
]
SAID = {"en": "", "fr": "appel|demande|attend|champ", "nl": "oproep|veld|Velden", "de": "Anfrage|Aufruf|erwartet"}


@pytest.mark.parametrize("language", SAID)
@pytest.mark.parametrize("at", range(len(WRONG)), ids=lambda at: f"{WRONG[at][1].split('?')[0]}-{WRONG[at][3]}")
def test_what_is_wrong_is_said_in_the_language_asked_for(apps: Apps, at: int, language: str) -> None:
    method, path, body, field = WRONG[at]
    who = apps.network.operator if path.startswith(("/partners", "/offers/")) else apps.network["cpas-hotton"]
    answer = who.call(method, path, body, headers={"Accept-Language": f"{language}-BE, es;q=0.9"})
    assert answer.status_code == 422, answer.text
    problem = answer.json()
    assert not RAW.search(answer.text), answer.text
    assert re.search(SAID[language], problem["detail"])
    if field:
        [entry] = [each for each in problem["fields"] if each["at"] == field]
        assert entry["problem"]


def test_a_closed_list_names_its_codes(apps: Apps) -> None:
    answer = apps.network["cpas-hotton"].call(
        "POST", "/referrals", sheet(moment="x"), headers={"Accept-Language": "fr"}
    )
    [entry] = refused(answer, 422, "invalid")["fields"]
    assert entry["allowed"] == ["accueil", "projet", "preformation", "formation", "preparation_emploi", "experience"]
    assert entry["problem"].startswith("un code parmi : accueil, projet")
