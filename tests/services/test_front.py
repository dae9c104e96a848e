"""To an employer the network speaks by its front: who accompanies the person is told only if it is a party to it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any, get_args

import pytest

from jalons.privacy.links import AnswerLinks, LinkTarget
from schemas.codes import PlacementKind
from tests.support.apps import SECRET, Apps
from tests.support.directory import day, joined
from tests.support.network import PARTNERS, Partner
from tests.support.pages import Page, well_made

CPAS = {"phone": "+32 84 11 11 11", "name": "Bureau de Melreux", "mailbox": "secret@bureau.example"}
FRONT = PARTNERS["integra-plus"]


@pytest.fixture(scope="module")
def cpas(apps: Apps) -> Partner:
    """A public welfare centre whose name, mailbox and telephone nobody else has."""
    return joined(apps.network, "cpas-hotton", **CPAS)


@pytest.fixture(scope="module")
def front(apps: Apps) -> Partner:
    """The front's own system."""
    made = apps.network.operator.done("POST", "/partners/integra-plus/clients", {"scopes": ["partner"]})
    return Partner(apps.network, "integra-plus", made["client_id"], made["client_secret"])


@pytest.fixture
def without_a_front(apps: Apps) -> Iterator[None]:
    apps.network.operator.done("PUT", "/partners/integra-plus", FRONT | {"front": False})
    yield
    apps.network.operator.done("PUT", "/partners/integra-plus", FRONT)


def propose(cpas: Partner, kind: str, *attributes: str) -> Any:
    """Propose a person to the home; the answer of the call."""
    person = cpas.done("POST", "/beneficiaries", {"profile": _PROFILE})["beneficiary"]
    agreed = {"partners": ["home-hotton"], "purposes": ["employer"], "channel": "paper", "attributes": [*attributes]}
    cpas.done("POST", f"/beneficiaries/{person}/consents", agreed)
    sense = {"goal": "find_job", "chosen_by": "person", "planned_start": day(7)}
    return cpas.call("POST", "/placements", sense | {"beneficiary": person, "kind": kind, "employer": "home-hotton"})


_PROFILE = {
    "age_band": "25-29",
    "sex": "F",
    "commune_nis": "83028",
    "education": "lower_secondary",
    "status": "ris",
    "household": "alone",
    "obstacles": [],
}


def page_of(apps: Apps, placement: dict[str, Any]) -> Page:
    """What the employer finds behind the mailed link."""
    token = AnswerLinks(SECRET).token(LinkTarget("placement", uuid.UUID(placement["placement_id"]), "home-hotton"))
    return well_made(apps.network.http.request("GET", f"http://referrals/answer/{token}"))


@pytest.mark.parametrize("kind", get_args(PlacementKind))
def test_only_art_60_and_61_tell_an_employer_who_accompanies_the_person(apps: Apps, cpas: Partner, kind: str) -> None:
    placement = propose(cpas, kind).json()
    employer = apps.network["home-hotton"]
    page = page_of(apps, placement).text
    apps.tell()
    sheet = employer.done("GET", f"/placements/{placement['ref']}")
    events = [each for each in employer.done("GET", "/events?limit=1000")["items"] if placement["ref"] in str(each)]
    assert events
    for way in (json.dumps(sheet), json.dumps(events)):
        assert not [each for each in (*CPAS.values(), cpas.slug) if each in way]
    if kind in ("art60_7", "art61"):
        assert CPAS["phone"] in page and CPAS["name"] in page
    else:
        assert not [each for each in (*CPAS.values(), cpas.slug) if each in page]
        assert FRONT["phone"] in page and FRONT["name"] in page


def test_who_agreed_to_it_has_the_accompanists_telephone_given_until_the_person_narrows_it(
    apps: Apps, cpas: Partner
) -> None:
    placement = propose(cpas, "cdd", "accompanist").json()
    page = page_of(apps, placement).text
    assert CPAS["phone"] in page and FRONT["phone"] not in page
    assert CPAS["name"] not in page and FRONT["name"] in page
    consents = cpas.done("GET", f"/beneficiaries/{placement['beneficiary']}/consents")["items"]
    narrower = {"partners": ["home-hotton"], "purposes": ["employer"], "channel": "oral"}
    cpas.done(
        "POST",
        f"/beneficiaries/{placement['beneficiary']}/consents",
        narrower | {"replaces": consents[0]["consent_id"]},
    )
    page = page_of(apps, placement).text
    assert CPAS["phone"] not in page and FRONT["phone"] in page


def test_without_a_front_nobody_is_proposed_to_an_employer(apps: Apps, cpas: Partner, without_a_front: None) -> None:
    refused = propose(cpas, "cdd")
    assert (refused.status_code, refused.json()["code"]) == (422, "no_front")
    assert propose(cpas, "art60_7").status_code == 201


def test_one_active_partner_at_most_is_the_front(apps: Apps) -> None:
    operator = apps.network.operator
    second = operator.call("PUT", "/partners/forem-marche", PARTNERS["forem-marche"] | {"front": True})
    assert (second.status_code, second.json()["code"]) == (409, "front_taken")
    other = joined(apps.network, "forem-marche")
    operator.done("PUT", f"/partners/{other.slug}/status", {"status": "suspended"})
    operator.done("PUT", f"/partners/{other.slug}", PARTNERS["forem-marche"] | {"front": True})
    again = operator.call("PUT", f"/partners/{other.slug}/status", {"status": "active"})
    assert (again.status_code, again.json()["code"]) == (409, "front_taken")


def test_the_front_finds_the_office_behind_a_reference_and_has_it_call_back(
    apps: Apps, cpas: Partner, front: Partner
) -> None:
    placement = propose(cpas, "cdd").json()
    path = f"/references/{placement['ref'].lower()}"
    found = front.done("GET", path)
    assert found["accompanist"] == {"partner": cpas.slug, "phone_hours": None} | CPAS
    assert found["employer"]["partner"] == "home-hotton"
    assert placement["beneficiary"] not in str(found)
    asked = front.call("POST", f"{path}/call-back")
    assert asked.status_code == 201
    apps.tell()
    told = [each["type"] for each in cpas.done("GET", "/events?limit=1000")["items"] if placement["ref"] in str(each)]
    assert told[-1] == "jalons.callback.asked.v1"
    for stranger in ("home-hotton", "forem-marche"):
        assert apps.network[stranger].call("GET", path).json()["code"] == "not_the_front"
    training = cpas.call("GET", "/references/T-2B8N-5WC")
    assert training.status_code == 403
    assert front.call("GET", "/references/T-2B8N-5WC").status_code == 404
