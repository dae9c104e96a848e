"""Whoever refers finds the offers that would do: near, free, covered, and none of those that are closed to them."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from jalons.clock import local_date, now
from jalons.database import engine, transaction
from services.referrals.directory import rows as directory
from tests.support.calls import refused
from tests.support.directory import agreed, day, joined, name, offered
from tests.support.network import Network, Partner


@pytest.fixture(scope="module")
def project() -> str:
    return name("project")


@pytest.fixture(scope="module")
def referrer(network: Network) -> Partner:
    return joined(network, "cpas-hotton")


@pytest.fixture(scope="module")
def offers(network: Network, referrer: Partner) -> dict[str, str]:
    """Offers of two trainers, one of which the referrer may refer to, by what is said of them."""
    near, stranger = joined(network), joined(network, "forem-marche")
    agreed(network, referrer.slug, near.slug)
    return {
        "in Marche": offered(near, commune_nis="83034"),
        "in Hotton": offered(near, commune_nis="83028", transport_help=True),
        "in La Roche": offered(near, commune_nis="83031"),
        "in Liège": offered(near, commune_nis="62063"),
        "full": offered(near, commune_nis="83028", places=0),
        "closed": offered(near, status="closed"),
        "over": offered(near, valid_to=day(-1)),
        "another moment": offered(near, moment="projet", type="bilan"),
        "a stranger's": offered(stranger, commune_nis="83028"),
    }


def search(who: Partner, offers: dict[str, str], **asked: Any) -> list[str]:
    """Which of these offers a search finds, in its order, page by page."""
    said = {offer: what for what, offer in offers.items()}
    query = "&".join(f"{key}={value}" for key, value in asked.items())
    found, cursor = [], ""
    while True:
        page = who.done("GET", f"/offers?limit=7&{query}{cursor}")
        found += [said[item["offer"]] for item in page["items"] if item["offer"] in said]
        if "next" not in page:
            return found
        cursor = f"&cursor={page['next']}"


OPEN = {"in Marche", "in Hotton", "in La Roche", "in Liège", "full", "a stranger's"}
NEAREST = ["in Hotton", "in Marche", "in La Roche", "in Liège"]

ASKED: list[tuple[dict[str, Any], set[str]]] = [
    ({}, OPEN | {"another moment"}),
    ({"moment": "formation"}, OPEN),
    ({"type": "bilan"}, {"another moment"}),
    ({"moment": "formation", "free": "true"}, OPEN - {"full"}),
    ({"moment": "formation", "covered": "true"}, OPEN - {"a stranger's"}),
    ({"kind": "public_employment_service"}, {"a stranger's"}),
    ({"transport_help": "true"}, {"in Hotton"}),
    ({"commune_nis": "83034", "moment": "formation"}, {"in Marche"}),
    ({"moment": "formation", "past": "true"}, OPEN | {"closed", "over"}),
    ({"status": "closed"}, {"closed"}),
    ({"status": "full"}, {"full"}),
    ({"commune": "6990", "within_km": 12, "moment": "formation"}, {"in Marche", "in Hotton", "full", "a stranger's"}),
    ({"commune": "83028", "within_km": 0, "moment": "formation"}, {"in Hotton", "full", "a stranger's"}),
]


@pytest.mark.parametrize(("asked", "expected"), ASKED)
def test_a_search_finds_what_was_asked_for(
    referrer: Partner, offers: dict[str, str], asked: dict[str, Any], expected: set[str]
) -> None:
    found = search(referrer, offers, **asked)
    assert len(found) == len(set(found)), "no page repeats another"
    assert set(found) == expected


def test_the_nearest_come_first_and_those_nobody_knows_where_last(referrer: Partner, offers: dict[str, str]) -> None:
    found = search(referrer, offers, commune="6990", moment="formation", free="true", covered="true")
    assert found == NEAREST
    page = referrer.done("GET", "/offers?commune=6990&moment=formation&free=true&covered=true")
    distances = [item["distance_km"] for item in page["items"]]
    assert distances[0] == 0
    assert 5 < distances[1] < distances[2] < 20
    assert distances[3] is None


def test_an_item_shows_its_partner_its_free_places_and_how_fresh_it_is(
    network: Network, referrer: Partner, offers: dict[str, str]
) -> None:
    one = referrer.done("GET", f"/offers/{offers['in Marche']}")
    assert (one["partner_name"], one["partner_kind"]) == ("EFT Le Trusquin", "training_operator")
    assert (one["free_places"], one["places"], one["last_confirmed_on"]) == (3, 3, day(0))
    assert "taken" not in one
    assert referrer.done("GET", f"/offers/{offers['closed']}")["free_places"] == 0
    trainer = joined(network)
    agreed(network, referrer.slug, trainer.slug)
    offer = offered(trainer)
    referral = referrer.refer(trainer.slug, offer=offer)
    trainer.done("POST", f"/referrals/{referral['ref']}/accept", {})
    assert referrer.done("GET", f"/offers/{offer}")["free_places"] == 2


def test_a_partner_that_is_not_active_offers_nothing(network: Network, referrer: Partner) -> None:
    trainer = joined(network)
    mine = {"its": offered(trainer)}
    network.operator.done("PUT", f"/partners/{trainer.slug}/status", {"status": "suspended"})
    assert search(referrer, mine) == []
    assert search(referrer, mine, past="true") == ["its"]


def test_who_is_on_trial_and_who_is_not_do_not_see_each_others_offers(network: Network, referrer: Partner) -> None:
    one, other = joined(network, trial=True), joined(network, trial=True)
    trials, real = {"trial": offered(one)}, {"real": offered(joined(network))}
    assert search(other, trials | real) == ["trial"]
    assert search(referrer, trials | real) == ["real"]
    assert set(search(network["integra-plus"], trials | real)) == {"trial", "real"}, "the coordinator sees both"
    refused(referrer.call("GET", f"/offers/{trials['trial']}"), 404, "not_found")
    refused(other.call("GET", f"/offers/{real['real']}"), 404, "not_found")


REFUSED: dict[str, tuple[str, str]] = {
    "cursor=nonsense": ("invalid_cursor", "cursor"),
    "cursor=4pyT": ("invalid_cursor", "cursor"),
    "commune=62063": ("unknown_commune", "commune"),
    "commune=1000": ("invalid", "commune"),
    "within_km=5": ("invalid", "within_km"),
    "within_km=far&commune=6990": ("invalid", "within_km"),
    "colour=green": ("unknown_parameter", "query parameters"),
    "limit=100000": ("invalid", "limit"),
}


@pytest.mark.parametrize("query", REFUSED)
def test_a_question_that_has_no_answer_is_refused(referrer: Partner, query: str) -> None:
    code, at = REFUSED[query]
    problem = refused(referrer.call("GET", f"/offers?{query}"), 422, code)
    assert at in problem["detail"]


def test_only_a_partner_asks_what_is_covered_for_it(network: Network) -> None:
    refused(network.operator.call("GET", "/offers?covered=true"), 403, "wrong_scope")


def test_the_coordinator_adds_a_commune_and_distances_follow(network: Network, referrer: Partner) -> None:
    trainer = joined(network)
    mine = {"in Vielsalm": offered(trainer, commune_nis="82032")}
    vielsalm = {"name": "Vielsalm", "latitude": 50.285, "longitude": 5.915}
    refused(referrer.call("PUT", "/communes/82032", vielsalm), 403, "wrong_scope")
    made = network["integra-plus"].call("PUT", "/communes/82032", vielsalm)
    assert (made.status_code, made.headers["etag"]) == (201, '"1"')
    assert network["integra-plus"].call("PUT", "/communes/82032", vielsalm).headers["etag"] == '"1"'
    assert {"nis": "82032", **vielsalm} in referrer.done("GET", "/communes")["items"]
    assert search(referrer, mine, commune="6990", within_km=30) == []
    assert search(referrer, mine, commune="6990", within_km=40) == ["in Vielsalm"]
    refused(network.operator.call("PUT", "/communes/82032", vielsalm | {"latitude": 500}), 422, "invalid")


@pytest.fixture
def pool(network: Network) -> Engine:
    url = network.info["database"].replace("postgresql://", "postgresql+psycopg://", 1)
    return engine(url, "referrals", pool=1)


def test_what_fits_is_found_for_a_decline_nearest_first(
    network: Network, referrer: Partner, offers: dict[str, str], pool: Engine
) -> None:
    """What domain.md, section 4 calls « other offers that fit »: the decliner's own are left out."""
    decliner = joined(network)
    agreed(network, referrer.slug, decliner.slug)
    offered(decliner, commune_nis="83028")
    said = {offer: what for what, offer in offers.items()}

    def fitting(moment: str, commune: str | None) -> list[dict[str, Any]]:
        with transaction(pool) as conn:
            return directory.fitting(conn, referrer.slug, moment, commune, [decliner.slug], local_date(now()))

    found = fitting("formation", "83028")
    assert [said[row["offer"]] for row in found if row["offer"] in said] == NEAREST
    assert decliner.slug not in {row["partner"] for row in found}
    assert found[-1]["distance_km"] is None
    anywhere = fitting("formation", None)
    assert {said[row["offer"]] for row in anywhere if row["offer"] in said} == set(NEAREST)
    assert fitting("experience", "83028") == []
    pool.dispose()


def test_all_of_the_network_is_paged_once(network: Network, referrer: Partner) -> None:
    with psycopg.connect(network.info["database"]) as conn:
        row = conn.execute(
            "SELECT count(*) FROM referrals.offers JOIN referrals.partners ON slug = partner WHERE NOT trial"
        ).fetchone()
    found, cursor = [], ""
    while True:
        page = referrer.done("GET", f"/offers?past=true&commune=6990&limit=5{cursor}")
        found += [item["offer"] for item in page["items"]]
        if "next" not in page:
            break
        cursor = f"&cursor={page['next']}"
    assert row is not None
    assert len(found) == len(set(found)) == row[0]
