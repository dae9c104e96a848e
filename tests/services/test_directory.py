"""The directory in time: what is over, or has not begun, is not referred to; what was confirmed says when."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.support.calls import refused, sheet, written
from tests.support.directory import agreed, day, joined, offered
from tests.support.network import Network, Partner


@pytest.fixture(scope="module")
def trainer(network: Network) -> Partner:
    """A training operator to which CPAS Hotton may refer."""
    trainer = joined(network)
    agreed(network, "cpas-hotton", trainer.slug)
    return trainer


def log_of(network: Network, subject: str) -> list[str]:
    """The types said of a directory id, in order."""
    with psycopg.connect(network.info["database"]) as conn:
        rows = conn.execute("SELECT type FROM referrals.events WHERE subject = %s ORDER BY sequence", (subject,))
        return [type_ for (type_,) in rows]


DATES: dict[str, tuple[dict[str, Any], bool]] = {
    "from tomorrow": ({"valid_from": day(1)}, False),
    "until yesterday": ({"valid_from": day(-30), "valid_to": day(-1)}, False),
    "from today": ({"valid_from": day(0)}, True),
    "until today": ({"valid_to": day(0)}, True),
    "always": ({}, True),
}


@pytest.mark.parametrize("when", DATES)
def test_an_offer_is_referred_to_within_its_dates_only(network: Network, trainer: Partner, when: str) -> None:
    dates, valid = DATES[when]
    offer = offered(trainer, **dates)
    home, before = network["cpas-hotton"], written(network)
    answer = home.call("POST", "/referrals", sheet(recipient=trainer.slug, offer=offer))
    if valid:
        assert answer.status_code == 201, answer.text
    else:
        problem = refused(answer, 422, "invalid")
        assert problem["fields"][0]["at"] == "offer"
        assert written(network) == before


@pytest.mark.parametrize("when", DATES)
def test_a_partner_exchanges_within_its_dates_only(network: Network, when: str) -> None:
    dates, valid = DATES[when]
    partner = joined(network, **dates)
    agreed(network, "cpas-hotton", partner.slug)
    answer = network["cpas-hotton"].call("POST", "/referrals", sheet(recipient=partner.slug))
    if valid:
        assert answer.status_code == 201, answer.text
    else:
        refused(answer, 409, "partner_not_active")


def test_a_convention_that_is_over_lets_nobody_refer(network: Network) -> None:
    partner = joined(network)
    agreed(network, "cpas-hotton", partner.slug, valid_to=day(-1))
    refused(network["cpas-hotton"].call("POST", "/referrals", sheet(recipient=partner.slug)), 403, "no_convention")
    agreed(network, "cpas-hotton", partner.slug, valid_from=day(0), valid_to=day(0))
    assert network["cpas-hotton"].call("POST", "/referrals", sheet(recipient=partner.slug)).status_code == 201


def test_dates_the_wrong_way_round_are_refused(network: Network, trainer: Partner) -> None:
    before = written(network)
    offer = network.operator.done("GET", "/offers/auxiliaire-de-soins")
    wrong = {"valid_from": day(1), "valid_to": day(0)}
    record = {key: offer[key] for key in ("partner", "title", "moment", "type", "places", "commune_nis")}
    refused(network.operator.call("PUT", "/offers/auxiliaire-de-soins", record | wrong), 422, "invalid")
    partner = network.operator.done("GET", f"/partners/{trainer.slug}")
    record = {key: value for key, value in partner.items() if key not in ("slug", "status", "version")}
    refused(network.operator.call("PUT", f"/partners/{trainer.slug}", record | wrong), 422, "invalid")
    assert written(network) == before


def test_its_partner_confirms_an_offer_and_each_change_is_a_version(network: Network, trainer: Partner) -> None:
    record = {
        "partner": trainer.slug,
        "title": "Chantier",
        "moment": "formation",
        "type": "formation",
        "places": 2,
        "commune_nis": "83034",
    }
    offer = f"of-{trainer.slug}"
    network.operator.done("PUT", f"/offers/{offer}", record)
    first = trainer.call("GET", f"/offers/{offer}")
    assert (first.json()["last_confirmed_on"], first.headers["etag"]) == (None, '"1"'), "the coordinator confirms none"

    before = written(network)
    refused(network["le-trusquin"].call("POST", f"/offers/{offer}/confirm"), 403, "not_yours")
    refused(trainer.call("POST", "/offers/not-there/confirm"), 404, "not_found")
    refused(trainer.call("POST", f"/offers/{offer}/confirm", headers={"If-Match": '"7"'}), 412, "stale")
    assert written(network) == before

    confirmed = trainer.call("POST", f"/offers/{offer}/confirm", headers={"If-Match": '"1"'})
    assert (confirmed.json()["last_confirmed_on"], confirmed.headers["etag"]) == (day(0), '"2"')
    assert trainer.done("POST", f"/offers/{offer}/confirm")["version"] == 2, "once a day is enough"
    assert network["cpas-hotton"].done("GET", f"/offers/{offer}")["last_confirmed_on"] == day(0)

    kept = network.operator.done("PUT", f"/offers/{offer}", record | {"places": 3})
    assert (kept["last_confirmed_on"], kept["version"]) == (day(0), 3), "a change by the coordinator keeps the date"
    assert log_of(network, offer) == ["jalons.offer.published.v1"] * 3
