"""Places of an offer: never more taken than there are, however many ask at once; given back when a referral ends."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest

from tests.support.calls import refused, written
from tests.support.directory import agreed, day, joined, offered
from tests.support.network import PROFILE, Network, Partner

TODAY = {"started_on": day(0)}
GONE = {"outcome": "reached"}


@pytest.fixture(scope="module")
def trainer(network: Network) -> Partner:
    """A training operator to which CPAS Hotton may refer."""
    trainer = joined(network)
    agreed(network, "cpas-hotton", trainer.slug)
    return trainer


def refer(network: Network, trainer: Partner, offer: str) -> str:
    """The spoken reference of a new person's referral to an offer."""
    return str(network["cpas-hotton"].refer(trainer.slug, offer=offer)["ref"])


def accept(trainer: Partner, referral: str) -> httpx.Response:
    return trainer.call("POST", f"/referrals/{referral}/accept", {"first_contact_on": day(3)})


def said(network: Network, offer: str) -> list[dict[str, Any]]:
    """What the log says of an offer's capacity, in order."""
    with psycopg.connect(network.info["database"]) as conn:
        rows = conn.execute("SELECT value FROM referrals.events WHERE subject = %s ORDER BY sequence", (offer,))
        events = [json.loads(bytes(value)) for (value,) in rows]
    return [event for event in events if event["type"] == "jalons.offer.capacity_changed.v1"]


def status(partner: Partner, offer: str) -> str:
    return str(partner.done("GET", f"/offers/{offer}")["status"])


@pytest.mark.parametrize(("places", "callers"), [(1, 2), (5, 20)])
def test_of_many_who_accept_at_once_as_many_succeed_as_there_are_places(
    network: Network, trainer: Partner, places: int, callers: int
) -> None:
    offer = offered(trainer, places=places)
    referrals = [refer(network, trainer, offer) for _ in range(callers)]
    with ThreadPoolExecutor(callers) as pool:
        answers = list(pool.map(lambda referral: accept(trainer, referral), referrals))
    assert Counter(answer.status_code for answer in answers) == {200: places, 409: callers - places}
    for answer in answers:
        if answer.status_code == 409:
            refused(answer, 409, "no_place_left")
    held = [trainer.done("GET", f"/referrals/{each}")["status"] for each in referrals]
    assert Counter(held) == {"accepted": places, "sent": callers - places}, "who was refused is where they were"
    [full] = said(network, offer)
    assert (full["data"]["status"], full["data"]["places"], full["data"]["taken"]) == ("full", places, places)
    assert status(trainer, offer) == "full"


def test_a_place_is_given_back_when_its_referral_ends(network: Network, trainer: Partner) -> None:
    offer = offered(trainer, places=1)
    first, second = (refer(network, trainer, offer) for _ in range(2))
    assert accept(trainer, first).status_code == 200
    trainer.done("POST", f"/referrals/{first}/start", TODAY)
    before = written(network)
    refused(accept(trainer, second), 409, "no_place_left")
    assert written(network) == before
    trainer.done("POST", f"/referrals/{first}/complete", GONE)
    assert status(trainer, offer) == "published"
    assert accept(trainer, second).status_code == 200
    changes = said(network, offer)
    assert [(each["data"]["status"], each["data"]["taken"]) for each in changes] == [
        ("full", 1),
        ("published", 0),
        ("full", 1),
    ]
    assert {each["partner"] for each in changes} == {"hub"}
    assert not any(first in json.dumps(each) for each in changes), "nobody learns by whom"


def test_a_full_offer_may_still_be_asked_and_a_decline_takes_nothing(network: Network, trainer: Partner) -> None:
    offer = offered(trainer, places=1)
    assert accept(trainer, refer(network, trainer, offer)).status_code == 200
    waiting = refer(network, trainer, offer)
    trainer.done("POST", f"/referrals/{waiting}/decline", {"reason": "no_place", "declined_by": "provider"})
    assert len(said(network, offer)) == 1


def test_more_places_open_a_full_offer_and_fewer_than_are_taken_are_refused(network: Network, trainer: Partner) -> None:
    offer = offered(trainer, places=2)
    for _ in range(2):
        assert accept(trainer, refer(network, trainer, offer)).status_code == 200
    known = trainer.done("GET", f"/offers/{offer}")
    record = {key: known[key] for key in ("partner", "title", "moment", "type", "commune_nis")}
    refused(trainer.call("PUT", f"/offers/{offer}", record | {"places": 1}), 422, "invalid")
    assert trainer.done("PUT", f"/offers/{offer}", record | {"places": 2})["status"] == "full", "published says nothing"
    assert trainer.done("PUT", f"/offers/{offer}", record | {"places": 3})["status"] == "published"
    assert trainer.done("PUT", f"/offers/{offer}", record | {"places": 2})["status"] == "full"
    closed = trainer.done("PUT", f"/offers/{offer}", record | {"places": 3, "status": "closed"})
    assert closed["status"] == "closed"


def employ(network: Network, employer: Partner, offer: str, **more: Any) -> str:
    """A placement on an offer that its employer has confirmed; its spoken reference."""
    home = network["cpas-hotton"]
    person = more.pop("beneficiary", None) or home.done("POST", "/beneficiaries", {"profile": PROFILE})["beneficiary"]
    consent = {"partners": [employer.slug], "purposes": ["employer"], "channel": "paper"}
    home.done("POST", f"/beneficiaries/{person}/consents", consent)
    proposed = {
        "beneficiary": person,
        "employer": employer.slug,
        "offer": offer,
        "kind": "cdd",
        "goal": "find_job",
        "chosen_by": "person",
        "planned_start": day(0),
        **more,
    }
    placement = home.done("POST", "/placements", proposed)["ref"]
    employer.done("POST", f"/placements/{placement}/confirm", {})
    return str(placement)


@pytest.fixture(scope="module")
def employer(network: Network) -> Partner:
    employer = joined(network, "home-hotton")
    agreed(network, "cpas-hotton", employer.slug)
    return employer


def test_a_placement_that_starts_fills_its_vacancy_for_good(network: Network, employer: Partner) -> None:
    vacancy = offered(employer, moment="experience", type="emploi", places=1)
    first, second = employ(network, employer, vacancy), employ(network, employer, vacancy)
    assert status(employer, vacancy) == "published", "a proposal takes nothing"
    employer.done("POST", f"/placements/{first}/start", TODAY)
    assert status(employer, vacancy) == "full"
    refused(employer.call("POST", f"/placements/{second}/start", TODAY), 409, "no_place_left")
    employer.done("POST", f"/placements/{first}/end", {"ended_on": day(0), "reason": "end_of_contract"})
    assert status(employer, vacancy) == "full"


def test_a_person_referred_to_a_vacancy_and_placed_on_it_takes_one_place(network: Network, employer: Partner) -> None:
    vacancy = offered(employer, moment="experience", type="emploi", places=2)
    home = network["cpas-hotton"]
    referral = home.refer(employer.slug, offer=vacancy, moment="experience", reason="vacancy", goal="find_job")
    assert accept(employer, referral["ref"]).status_code == 200
    placement = employ(network, employer, vacancy, beneficiary=referral["beneficiary"], referral_id=referral["ref"])
    employer.done("POST", f"/placements/{placement}/start", TODAY)
    assert status(employer, vacancy) == "published", "one of two"
    employer.done("POST", f"/placements/{employ(network, employer, vacancy)}/start", TODAY)
    assert status(employer, vacancy) == "full"


def test_a_placement_on_an_offer_that_is_not_there_is_refused(network: Network, employer: Partner) -> None:
    with pytest.raises(AssertionError, match="there is no such offer"):
        employ(network, employer, "not-there")
