"""A trial partner's persons are registered as such, however they come, and never count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jalons.embedded.stack import Stack
from tests.support.network import PARTNERS, PROFILE, Network, Partner, eventually
from tests.support.stream import hub_token


@pytest.fixture(scope="module")
def trial(network: Network) -> Partner:
    """A CPAS that tries the hub out, with a centre that does."""
    operator = network.operator
    for slug, like in (("cpas-essai", "cpas-hotton"), ("centre-essai", "le-trusquin")):
        operator.done("PUT", f"/partners/{slug}", PARTNERS[like] | {"trial": True})
    convention = network.convention() | {
        "parties": ["cpas-essai", "centre-essai"],
        "scope": [{"from": "cpas-essai", "to": "centre-essai", "moments": ["formation"]}],
    }
    operator.done("POST", "/conventions", convention)
    made = operator.done("POST", "/partners/cpas-essai/clients", {"scopes": ["partner", "read:counts"]})
    return Partner(network, "cpas-essai", made["client_id"], made["client_secret"])


@pytest.fixture
def registered(network: Network, stack: Stack) -> Callable[[str], dict[str, Any]]:
    """What was written of a person's registration."""

    def asked(person: str) -> dict[str, Any]:
        headers = hub_token(network, stack.secrets["hub_client_secret"])
        query = {"subject": person, "after_sequence": 0}
        log = network.http.get(f"{network.info['referrals']}/events", params=query, headers=headers).json()["items"]
        return next(event["data"] for event in log if event["type"] == "jalons.beneficiary.registered.v1")

    return asked


@pytest.mark.parametrize("way", ["registered", "referred"])
def test_a_trial_partner_s_person_is_a_trial_s_and_never_counts(
    trial: Partner, registered: Callable[[str], dict[str, Any]], way: str
) -> None:
    if way == "registered":
        person = trial.done("POST", "/beneficiaries", {"profile": PROFILE})["beneficiary"]
    else:
        person = trial.refer("centre-essai")["beneficiary"]
    assert registered(person)["trial"] is True
    eventually(lambda: trial.call("GET", f"/pathways/{person}", service="observation").status_code == 200)
    assert trial.done("GET", "/counts?measure=persons_new&by=home", service="observation")["cells"] == []


def test_another_partner_s_person_is_no_trial(network: Network, registered: Callable[[str], dict[str, Any]]) -> None:
    person = network["cpas-hotton"].refer("le-trusquin")["beneficiary"]
    assert registered(person)["trial"] is False
