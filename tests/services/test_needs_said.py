"""What is needed, said by partners: of a person for those who know them only, of nobody for all."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from jalons.privacy.disclosure import cut, for_coordinator
from schemas.need import ExpressedSealed, ExpressedV1, ReportedV1, UnmetSealed, UnmetV1
from tests.support.apps import SECRET, Apps
from tests.support.calls import refused
from tests.support.days import day
from tests.support.network import PROFILE
from tests.support.own import own as own_id_of
from tests.support.said import said


def own(_known: UUID, _reader: str) -> UUID:
    return uuid4()


NEED = {"domain": "mobilite", "kind": "obstacle", "source": "public", "commune_nis": "6990"}


def test_a_persons_need_is_read_by_who_said_it_and_by_the_home_partner_alone(apps: Apps) -> None:
    home, operator, other = (apps.network[each] for each in ("cpas-hotton", "le-trusquin", "cpas-erezee"))
    made = home.refer("le-trusquin")
    alias = operator.done("GET", f"/referrals/{made['ref']}")["beneficiary"]
    answer = operator.call("POST", "/needs", NEED | {"beneficiary": alias})
    assert answer.status_code == 201
    need = answer.json()
    assert need == NEED | {
        "need_id": need["need_id"],
        "commune_nis": "83028",
        "met_by_offer": False,
        "said_by": "le-trusquin",
        "happened_on": need["happened_on"],
        "beneficiary": alias,
    }
    path = f"/needs/{need['need_id']}"
    assert operator.done("GET", path) == need
    assert home.done("GET", path) == need | {"beneficiary": made["beneficiary"]}
    assert home.done("GET", f"/needs?beneficiary={made['beneficiary']}")["items"] == [home.done("GET", path)]
    refused(other.call("GET", path), 404, "not_found")
    refused(other.call("GET", f"/needs?beneficiary={alias}"), 404, "not_found")
    assert need["need_id"] not in {each["need_id"] for each in other.done("GET", "/needs")["items"]}

    event = said(apps, made["beneficiary"])[-1]
    assert isinstance(event.data, ExpressedV1)
    assert isinstance(event.sealed, ExpressedSealed)
    assert (event.partner, event.data.home, event.sealed.domain) == ("le-trusquin", "cpas-hotton", "mobilite")
    assert for_coordinator(event, "integra-plus", own) is None


def test_what_the_home_partner_says_of_its_person_is_not_the_receivers(apps: Apps) -> None:
    home, operator = apps.network["cpas-hotton"], apps.network["le-trusquin"]
    made = home.refer("le-trusquin")
    alias = operator.done("GET", f"/referrals/{made['ref']}")["beneficiary"]
    need = home.done("POST", "/needs", NEED | {"beneficiary": made["beneficiary"], "happened_on": day(-25)})
    assert need["happened_on"] == day(-25)
    refused(operator.call("GET", f"/needs/{need['need_id']}"), 404, "not_found")
    assert operator.done("GET", f"/needs?beneficiary={alias}") == {"items": []}


def test_a_need_of_nobody_is_who_said_its_and_names_nobody(apps: Apps) -> None:
    operator, other = apps.network["le-trusquin"], apps.network["cpas-erezee"]
    need = operator.done("POST", "/needs", NEED | {"domain": "logement", "source": "partner"})
    assert "beneficiary" not in need
    assert (need["met_by_offer"], "offer" in need) == (False, False), "the directory says nothing of housing"
    assert operator.done("GET", f"/needs/{need['need_id']}") == need
    assert need in operator.done("GET", "/needs")["items"]
    refused(other.call("GET", f"/needs/{need['need_id']}"), 404, "not_found")
    assert need not in other.done("GET", "/needs")["items"], "one need of a small commune may tell of one person"
    [event] = said(apps, need["need_id"])
    assert isinstance(event.data, ReportedV1)
    assert (event.data.domain, event.sealed) == ("logement", None)


@pytest.mark.parametrize(
    ("given", "met", "which"),
    [(True, True, None), (False, False, None), ("auxiliaire-de-soins", True, "auxiliaire-de-soins")],
)
def test_who_says_a_need_may_say_whether_it_is_met(apps: Apps, given: Any, met: bool, which: str | None) -> None:
    need = apps.network["le-trusquin"].done("POST", "/needs", NEED | {"met_by_offer": given})
    assert (need["met_by_offer"], need.get("offer")) == (met, which)


REFUSED: dict[str, tuple[dict[str, Any], int, str]] = {
    "another domain": ({"domain": "loisirs"}, 422, "invalid"),
    "another kind": ({"kind": "wish"}, 422, "invalid"),
    "no commune": ({"commune_nis": "Hotton"}, 422, "invalid"),
    "an offer that is not there": ({"met_by_offer": "nulle-part"}, 422, "invalid"),
    "a person nobody knows": ({"beneficiary": str(uuid4())}, 404, "not_found"),
    "tomorrow": ({"happened_on": "2199-01-01"}, 422, "invalid"),
    "a text about somebody": ({"remark": "elle habite loin"}, 422, "unknown_field"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_need_that_is_not_of_its_form_or_of_nobody_known_is_refused_whole(apps: Apps, name: str) -> None:
    change, status, code = REFUSED[name]
    before = apps.rows("referrals", "SELECT count(*) AS n FROM needs")
    refused(apps.network["cpas-hotton"].call("POST", "/needs", NEED | change), status, code)
    assert apps.rows("referrals", "SELECT count(*) AS n FROM needs") == before


def test_nothing_is_said_of_a_person_who_has_left(apps: Apps) -> None:
    home = apps.network["cpas-hotton"]
    person = home.done("POST", "/beneficiaries", {"profile": PROFILE})["beneficiary"]
    home.done("POST", f"/beneficiaries/{person}/leave", {"reason": "moved"})
    refused(home.call("POST", "/needs", NEED | {"beneficiary": person}), 409, "person_left")


def test_an_erased_persons_needs_are_gone(apps: Apps) -> None:
    home = apps.network["cpas-hotton"]
    person = home.done("POST", "/beneficiaries", {"profile": PROFILE})["beneficiary"]
    body, key = NEED | {"beneficiary": person}, str(uuid4())
    need = home.call("POST", "/needs", body, key=key).json()
    assert home.call("POST", "/needs", body, key=key).json() == need
    home.done("DELETE", f"/beneficiaries/{person}")
    refused(home.call("GET", f"/needs/{need['need_id']}"), 404, "not_found")
    refused(home.call("POST", "/needs", body, key=key), 410, "person_erased")
    assert person not in str(apps.rows("referrals", "SELECT * FROM needs"))


def test_an_unmet_need_is_said_with_its_decline_and_to_the_home_partner_alone(apps: Apps) -> None:
    home, operator = apps.network["cpas-hotton"], apps.network["le-trusquin"]
    made = home.refer("le-trusquin", offer="auxiliaire-de-soins")
    body = {"reason": "no_place", "declined_by": "provider"}
    answer = operator.call("POST", f"/referrals/{made['ref']}/decline", body)
    assert answer.status_code == 200
    declined, unmet = said(apps, made["beneficiary"])[-2:]
    assert isinstance(unmet.data, UnmetV1)
    assert unmet.causation == declined.id
    assert own_id_of(SECRET, unmet.correlation, "le-trusquin") == answer.headers["Jalons-Call"]
    assert unmet.sealed == UnmetSealed(offer_type="formation", commune_nis="83028")
    assert for_coordinator(unmet, "integra-plus", own) is None
    assert cut(unmet, "le-trusquin", lambda _ref, _partner: uuid4(), own) is None

    [listed] = home.done("GET", f"/needs?beneficiary={made['beneficiary']}&met=false")["items"]
    assert (listed["reference"], listed["offer_type"], listed["met_by_offer"]) == (made["ref"], "formation", False)
    assert home.done("GET", f"/needs?beneficiary={made['beneficiary']}&met=true")["items"] == []
    refused(operator.call("GET", f"/needs/{listed['need_id']}"), 404, "not_found")
    operator.done("POST", f"/referrals/{made['ref']}/reopen", {"reason": "recorded_in_error"})
    assert home.done("GET", f"/needs?beneficiary={made['beneficiary']}")["items"] == [], "taken back with its decline"
    operator.done("POST", f"/referrals/{made['ref']}/decline", body)

    apps.tell()
    mine = "/counts?measure=needs_unmet&by=home,partner,moment"
    counted = home.done("GET", mine, service="observation")["total"]
    assert counted >= 1
    assert operator.done("GET", mine, service="observation")["total"] == 0, "an employer would learn why from this"
    coordinator = apps.network["integra-plus"]
    hidden = coordinator.done("GET", mine, service="observation")
    assert (hidden["scope"], hidden["total"]) == ("network", None)
    refused(coordinator.call("GET", f"{mine}&scope=own", service="observation"), 403, "no_own_counts")

    home.done("POST", "/needs", NEED)
    apps.tell()
    reported = "/counts?measure=needs_reported&by=partner"
    assert home.done("GET", reported, service="observation")["total"] >= 1
    assert coordinator.done("GET", reported, service="observation")["total"] is None, "as the network"

    operator.done("POST", f"/referrals/{made['ref']}/reopen", {"reason": "recorded_in_error"})
    apps.tell()
    assert home.done("GET", mine, service="observation")["total"] == counted - 1
