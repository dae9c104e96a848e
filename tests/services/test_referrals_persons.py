"""A person's accompaniment through the API: paused, resumed, left; and who may begin what for them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
import pytest

from jalons.clock import new_id, now
from jalons.database import engine, transaction
from jalons.embedded.stack import Stack
from jalons.messaging.outbox import Outbox
from jalons.privacy.aliases import alias
from jalons.privacy.audit import Audit
from jalons.privacy.sealing import derive
from jalons.web.identity import Principal
from schemas.consent import ExpiredV1
from services.referrals.agreements.commands import expire_consent
from services.referrals.persons.keys import PersonKeys
from services.referrals.work import Call, Hub, Work
from tests.support.calls import course, refused, sheet, work
from tests.support.days import day
from tests.support.network import PROFILE, Network, eventually


@pytest.fixture
def person(network: Network) -> str:
    """A person of CPAS Hotton."""
    new = {"profile": PROFILE, "local_ref": uuid.uuid4().hex, "happened_on": day(-30)}
    made = network["cpas-hotton"].done("POST", "/beneficiaries", new)
    return str(made["beneficiary"])


def test_a_person_is_paused_resumed_and_leaves(network: Network, person: str) -> None:
    home, path = network["cpas-hotton"], f"/beneficiaries/{person}"
    assert home.done("GET", path)["status"] == "active"
    paused = home.call("POST", f"{path}/pause", {"happened_on": day(-25)})
    assert (paused.json()["status"], paused.headers["etag"]) == ("paused", '"2"')
    refused(home.call("POST", f"{path}/pause"), 409, "transition_not_allowed")
    assert home.done("POST", f"{path}/resume", {"happened_on": day(-20)})["status"] == "active"
    refused(home.call("POST", f"{path}/leave", {}), 422, "missing")
    refused(home.call("POST", f"{path}/leave", {"reason": "no_place"}), 422, "invalid")
    left = home.done("POST", f"{path}/leave", {"reason": "found_work", "happened_on": day(-7)})
    assert (left["status"], left["left_on"], left["version"]) == ("left", day(-7), 4)
    [found] = home.done("GET", f"/beneficiaries?local_ref={left['local_ref']}")["items"]
    assert found == left == home.done("GET", path)


def test_only_the_home_partner_says_so_and_only_from_what_it_read(network: Network, person: str) -> None:
    home, path = network["cpas-hotton"], f"/beneficiaries/{person}"
    refused(network["cpas-erezee"].call("POST", f"{path}/pause"), 404, "not_found")
    alias = _alias(network, person)
    refused(network["le-trusquin"].call("POST", f"/beneficiaries/{alias}/leave", {"reason": "moved"}), 404, "not_found")
    refused(home.call("POST", f"{path}/pause", headers={"If-Match": '"9"'}), 412, "stale")
    assert home.call("POST", f"{path}/pause", headers={"If-Match": '"1"'}).status_code == 200


def test_nothing_new_begins_for_a_person_who_left_until_they_are_accompanied_again(
    network: Network, person: str
) -> None:
    home, trusquin = network["cpas-hotton"], network["le-trusquin"]
    alias = _alias(network, person)
    home.done("POST", f"/beneficiaries/{person}/leave", {"reason": "moved"})
    refused(home.call("POST", "/referrals", sheet(person=None, beneficiary=person)), 409, "person_left")
    refused(trusquin.call("POST", "/trainings", course(beneficiary=alias)), 409, "person_left")
    refused(home.call("POST", "/placements", work(beneficiary=person)), 409, "person_left")
    home.done("POST", f"/beneficiaries/{person}/resume")
    assert home.done("POST", "/referrals", sheet(person=None, beneficiary=person, again=True))["status"] == "sent"
    assert home.done("GET", f"/beneficiaries/{person}")["left_on"] is None


def _alias(network: Network, person: str) -> str:
    """What Le Trusquin calls the person, once referred to it."""
    referral = network["cpas-hotton"].refer("le-trusquin", beneficiary=person)
    return str(network["le-trusquin"].done("GET", f"/referrals/{referral['ref']}")["beneficiary"])


def sheet_of(network: Network, referral: dict[str, Any]) -> dict[str, Any]:
    """A referral as its receiver reads it."""
    return network["le-trusquin"].done("GET", f"/referrals/{referral['ref']}")


def shown(network: Network, referral: dict[str, Any]) -> Any:
    """The bands that Le Trusquin reads of a referral now: one by one, in its list, and in the log."""
    trusquin = network["le-trusquin"]
    one = trusquin.done("GET", f"/referrals/{referral['ref']}").get("disclosed", {})
    [listed] = [
        each.get("disclosed", {})
        for each in trusquin.done("GET", "/referrals?limit=500")["items"]
        if each["ref"] == referral["ref"]
    ]
    assert listed == one
    return one


def logged(network: Network, referral: dict[str, Any]) -> Any:
    """The same as Le Trusquin reads it back from the log."""
    after = 0
    while True:
        page = network["le-trusquin"].done("GET", f"/events?after={after}&limit=1000")
        for each in page["items"]:
            if each["type"] == "jalons.referral.sent.v1" and each["data"]["reference"] == referral["ref"]:
                return each["data"]["disclosed"]
        assert page["next"] != after
        after = page["next"]


def test_a_narrower_agreement_a_withdrawal_and_what_was_shown_when(network: Network, person: str) -> None:
    home, path = network["cpas-hotton"], f"/beneficiaries/{person}"
    given = {"partners": ["le-trusquin"], "purposes": ["referral"], "channel": "oral"}
    bands = ["age_band", "education", "household"]
    wide = home.done("POST", f"{path}/consents", given | {"attributes": bands})["consent_id"]
    referral = home.done("POST", "/referrals", sheet(person=None, agreement=None, beneficiary=person))
    assert shown(network, referral) == {"age_band": "25-29", "education": "lower_secondary"}

    narrow = home.done("POST", f"{path}/consents", given | {"attributes": ["age_band"], "replaces": wide})["consent_id"]
    again = home.call("POST", f"{path}/consents", given | {"replaces": wide})
    refused(again, 422, "invalid")
    assert shown(network, referral) == {"age_band": "25-29"}
    eventually(lambda: logged(network, referral) == {"age_band": "25-29"})

    home.done("DELETE", f"{path}/consents/{narrow}")
    assert not sheet_of(network, referral).keys() & {"disclosed", "reason", "goal"}, "reference and status only"
    assert logged(network, referral) == {}
    assert home.done("GET", f"/referrals/{referral['ref']}")["disclosed"].keys() == {"age_band", "education"}
    states = [each["status"] for each in home.done("GET", f"{path}/consents")["items"]]
    assert states == ["replaced", "withdrawn"]

    items = home.done("GET", f"{path}/disclosures")["items"]
    assert [(each["how"], each["attributes"]) for each in items] == [
        ("sent", ["age_band", "education"]),
        ("read", ["age_band"]),
    ], "once for each set of bands"
    assert items[0]["withheld"] == {
        "sex": "convention",
        "commune_nis": "convention",
        "status": "convention",
        "household": "convention",
        "obstacles": "consent",
    }
    assert (items[1]["withheld"], items[1]["reference"]) == ({"education": "consent"}, referral["ref"])


def test_a_receiver_reads_no_profile_of_a_voided_referral_nor_in_the_log(network: Network) -> None:
    home = network["cpas-hotton"]
    referral = home.refer("le-trusquin")
    assert logged(network, referral)
    home.done("POST", f"/referrals/{referral['ref']}/void", {"reason": "wrong_person"})
    seen = network["le-trusquin"].done("GET", f"/referrals/{referral['ref']}")
    assert set(seen) == {"referral_id", "ref", "status", "version", "actions"}
    assert logged(network, referral) == {}


def test_an_agreement_is_over_after_its_last_day_whether_or_not_that_was_said(
    network: Network, stack: Stack, person: str
) -> None:
    home, path = network["cpas-hotton"], f"/beneficiaries/{person}"
    agreement = {"channel": "paper", "attributes": ["age_band"], "expires_on": "2099-12-31"}
    referral = home.refer("le-trusquin", beneficiary=person, agreement=agreement)
    [consent] = home.done("GET", f"{path}/consents")["items"]
    assert shown(network, referral) == {"age_band": "25-29"}
    with referrals_work(stack) as work:
        assert not expire_consent(work, UUID(consent["consent_id"])), "its last day is not over"
    with psycopg.connect(stack.info["database"]) as conn:  # as if the days had passed
        conn.execute("UPDATE referrals.consents SET expires_on = '2026-01-31' WHERE ref = %s", (person,))
    assert not sheet_of(network, referral).keys() & {"disclosed", "reason", "goal"}, "reference and status only"
    assert home.done("GET", f"{path}/consents")["items"][0]["status"] == "expired"

    with referrals_work(stack) as work:
        assert expire_consent(work, UUID(consent["consent_id"]))
        assert not expire_consent(work, UUID(consent["consent_id"])), "said once"
        [said] = work.events
        assert isinstance(said.data, ExpiredV1)
        assert said.data.partners == ("le-trusquin",)
        assert said.data.holdings[0].references == (referral["ref"],)
        work.append()


@contextmanager
def referrals_work(stack: Stack) -> Iterator[Work]:
    """A transaction of the hub's own, as its clock makes them."""
    pool, secret = engine(stack.database_url, "referrals", pool=2), stack.secrets["secret_key"]
    keys = PersonKeys(pool, secret)
    call = Call(new_id(), Principal("hub", None, frozenset({"hub"})), now())
    aliases = derive(secret, "aliases")
    outbox, kept = Outbox("referrals", keys.wanted), Audit(secret, "referrals")
    with transaction(pool) as conn:
        yield Work(conn, call, Hub(outbox, keys, lambda ref, partner: alias(aliases, ref, partner), kept))
    pool.dispose()
