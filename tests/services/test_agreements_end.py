"""When an agreement or its convention ends, what it carried is no longer shown, asked for or carried on, everywhere."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.apps import Apps
from tests.support.calls import course, refused, sheet, work
from tests.support.directory import agreed, day, joined
from tests.support.network import Network, Partner

LEFT = {"referral_id", "ref", "status", "version", "actions"}
"""What a partner sees of a referral that no agreement covers."""
PLANNED = {"planned_start": day(10)}


@pytest.fixture(scope="module")
def network(apps: Apps) -> Network:
    return apps.network


@pytest.fixture(scope="module")
def trainer(network: Network) -> Partner:
    """An operator that no other test uses, to which CPAS Hotton may refer."""
    trainer = joined(network)
    agreed(network, "cpas-hotton", trainer.slug)
    return trainer


def withdraw_all(home: Partner, beneficiary: str) -> None:
    for each in home.done("GET", f"/beneficiaries/{beneficiary}/consents")["items"]:
        home.done("DELETE", f"/beneficiaries/{beneficiary}/consents/{each['consent_id']}")


def agree(home: Partner, beneficiary: str, *partners: str, **more: Any) -> str:
    body = {"partners": list(partners), "purposes": ["referral", "employer"], "channel": "paper", **more}
    return str(home.done("POST", f"/beneficiaries/{beneficiary}/consents", body)["consent_id"])


def referred(home: Partner, trainer: Partner, status: str) -> tuple[dict[str, Any], str]:
    """A referral in a status, and the receiver's alias of its person."""
    made = home.refer(trainer.slug)
    path = f"/referrals/{made['ref']}"
    steps = {
        "sent": [],
        "received": [("receive", {})],
        "waitlisted": [("waitlist", {"rank": 1})],
        "accepted": [("accept", {"first_contact_on": day(3)})],
        "started": [("accept", {"first_contact_on": day(3)}), ("start", {"started_on": day(0)})],
    }
    for action, body in steps[status]:
        trainer.done("POST", f"{path}/{action}", body)
    return made, str(trainer.done("GET", path)["beneficiary"])


@pytest.mark.parametrize("status", ["sent", "received", "waitlisted"])
def test_the_hub_cancels_what_nobody_took_up_when_the_person_withdraws(
    network: Network, trainer: Partner, status: str
) -> None:
    home = network["cpas-hotton"]
    made, alias = referred(home, trainer, status)
    path = f"/referrals/{made['ref']}"
    withdraw_all(home, made["beneficiary"])
    mine, theirs = home.done("GET", path), trainer.done("GET", path)
    assert (mine["status"], mine["cancel_reason"]) == ("cancelled", "agreement_ended")
    assert (theirs["status"], theirs["actions"], set(theirs)) == ("cancelled", [], LEFT)
    refused(trainer.call("POST", f"{path}/accept", {"first_contact_on": day(3)}), 409, "transition_not_allowed")
    refused(trainer.call("POST", "/trainings", course(beneficiary=alias, **PLANNED)), 403, "no_consent")


@pytest.mark.parametrize(("status", "left"), [("accepted", {"interrupt"}), ("started", {"complete", "interrupt"})])
def test_what_was_taken_up_can_only_be_ended_after_the_person_withdraws(
    network: Network, trainer: Partner, status: str, left: set[str]
) -> None:
    home = network["cpas-hotton"]
    made, _ = referred(home, trainer, status)
    path = f"/referrals/{made['ref']}"
    withdraw_all(home, made["beneficiary"])
    theirs = trainer.done("GET", path)
    assert (theirs["status"], set(theirs["actions"]), set(theirs)) == (status, left, LEFT)
    if status == "accepted":
        refused(trainer.call("POST", f"{path}/start", {"started_on": day(0)}), 409, "transition_not_allowed")
    ended = trainer.done("POST", f"{path}/interrupt", {"reason": "person_stops"})
    assert (ended["status"], set(ended)) == ("interrupted", LEFT)
    [listed] = [each for each in trainer.done("GET", "/referrals?box=received")["items"] if each["ref"] == made["ref"]]
    assert set(listed) == LEFT
    assert home.done("GET", path)["status"] == "interrupted"


def test_a_narrowing_that_drops_the_partner_is_the_persons_word(network: Network, trainer: Partner) -> None:
    home = network["cpas-hotton"]
    made, _ = referred(home, trainer, "sent")
    [consent] = home.done("GET", f"/beneficiaries/{made['beneficiary']}/consents")["items"]
    agree(home, made["beneficiary"], "forem-marche", replaces=consent["consent_id"])
    assert trainer.done("GET", f"/referrals/{made['ref']}")["status"] == "cancelled"


def test_enrolments_and_proposals_follow_the_agreement_too(network: Network, trainer: Partner) -> None:
    home, employer = network["cpas-hotton"], network["home-hotton"]
    made, alias = referred(home, trainer, "accepted")
    ref = made["beneficiary"]
    agree(home, ref, "home-hotton")
    enrolled = trainer.done("POST", "/trainings", course(beneficiary=alias, **PLANNED))
    started = trainer.done("POST", "/trainings", course(beneficiary=alias, **PLANNED))
    trainer.done("POST", f"/trainings/{started['ref']}/start", {"started_on": day(0)})
    proposed, confirmed = (home.done("POST", "/placements", work(beneficiary=ref, **PLANNED)) for _ in range(2))
    employer.done("POST", f"/placements/{confirmed['ref']}/confirm")
    withdraw_all(home, ref)

    def now(partner: Partner, noun: str, act: dict[str, Any]) -> tuple[str, set[str]]:
        seen = partner.done("GET", f"/{noun}/{act['ref']}")
        assert set(seen) == {f"{noun[:-1]}_id", *LEFT} - {"referral_id"}, seen
        return seen["status"], set(seen["actions"])

    assert now(trainer, "trainings", enrolled) == ("cancelled", set())
    assert now(trainer, "trainings", started) == ("started", {"complete", "interrupt"})
    assert now(employer, "placements", proposed) == ("cancelled", set())
    assert now(employer, "placements", confirmed) == ("confirmed", {"cancel"})
    refused(employer.call("POST", f"/placements/{confirmed['ref']}/start", {"started_on": day(0)}), 409,
            "transition_not_allowed")  # fmt: skip
    refused(home.call("POST", "/placements", work(beneficiary=ref, **PLANNED)), 403, "no_consent")


def test_the_home_partner_as_operator_or_employer_needs_no_agreement(network: Network) -> None:
    home = network["cpas-hotton"]
    ref = home.done("POST", "/beneficiaries", {"profile": sheet()["person"]["profile"]})["beneficiary"]
    home.done("POST", "/trainings", course(beneficiary=ref, **PLANNED))
    home.done("POST", "/placements", work(beneficiary=ref, employer="cpas-hotton", kind="art60_7", **PLANNED))


@pytest.mark.parametrize("step", ["suspend", "terminate"])
def test_a_convention_that_no_longer_holds_suspends_what_it_carried(network: Network, step: str) -> None:
    home, trainer = network["cpas-hotton"], joined(network)
    convention = agreed(network, "cpas-hotton", trainer.slug)
    made, alias = referred(home, trainer, "sent")
    path = f"/referrals/{made['ref']}"
    network.operator.done("POST", f"/conventions/{convention}/{step}")
    theirs = trainer.done("GET", path)
    assert (theirs["status"], set(theirs["actions"]), set(theirs)) == ("sent", {"decline"}, LEFT)
    refused(trainer.call("POST", f"{path}/accept", {"first_contact_on": day(3)}), 409, "transition_not_allowed")
    refused(trainer.call("POST", "/trainings", course(beneficiary=alias, **PLANNED)), 403, "no_convention")
    if step == "suspend":
        network.operator.done("POST", f"/conventions/{convention}/resume")
        assert trainer.done("POST", f"{path}/accept", {"first_contact_on": day(3)})["status"] == "accepted"


def test_a_convention_that_renews_another_carries_its_agreements_if_it_is_no_wider(network: Network) -> None:
    home = network["cpas-hotton"]
    for wider in (False, True):
        trainer = joined(network)
        old = agreed(network, "cpas-hotton", trainer.slug)
        made, alias = referred(home, trainer, "accepted")
        withdraw_all(home, made["beneficiary"])
        given = {"convention_id": old, "purposes": ["referral"], "channel": "oral"}
        home.done("POST", f"/beneficiaries/{made['beneficiary']}/consents", given)
        assert set(trainer.done("GET", f"/referrals/{made['ref']}")) > LEFT
        network.operator.done("POST", f"/conventions/{old}/terminate")
        assert set(trainer.done("GET", f"/referrals/{made['ref']}")) == LEFT
        shared = ["age_band", "sex"] if wider else ["age_band"]
        agreed(network, "cpas-hotton", trainer.slug, renews=old, shared_attributes=shared)
        seen = trainer.done("GET", f"/referrals/{made['ref']}")
        assert (set(seen) == LEFT) is wider
        enrolled = trainer.call("POST", "/trainings", course(beneficiary=alias, **PLANNED))
        assert enrolled.status_code == (403 if wider else 201), enrolled.text
