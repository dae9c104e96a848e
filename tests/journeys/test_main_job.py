"""One referral, from a partner's call to pathway, counts and messages, over real Kafka."""

from __future__ import annotations

from collections import Counter
from typing import Any

from jalons.embedded.stack import Stack
from tests.support.days import day
from tests.support.network import PROFILE, Network, eventually
from tests.support.own import own
from tests.support.stream import COUNTED, MONTHS, hub_token, log_of, recount


def _trained(network: Network, beneficiary: str, referral: dict[str, Any], kind: str, **more: Any) -> dict[str, Any]:
    """The operator accepts, enrols the person by its own alias, starts and completes the training."""
    trusquin = network["le-trusquin"]
    alias = trusquin.done("GET", f"/referrals/{referral['ref']}")["beneficiary"]
    trusquin.done("POST", f"/referrals/{referral['ref']}/accept", {"first_contact_on": day(1)})
    training = _started(network, alias, kind, referral_id=referral["ref"], **more)
    trusquin.done("POST", f"/trainings/{training['training_id']}/complete", {"outcome": "acquired", "hours_done": 12})
    return training


def _started(network: Network, alias: str, kind: str, **more: Any) -> dict[str, Any]:
    trusquin = network["le-trusquin"]
    planned = {
        "beneficiary": alias,
        "kind": kind,
        "goal": "basic_skills",
        "chosen_by": "person",
        "planned_start": day(),
        **more,
    }
    training = trusquin.done("POST", "/trainings", planned)
    trusquin.done("POST", f"/trainings/{training['training_id']}/start", {"started_on": day()})
    return training


def _employed(network: Network, beneficiary: str) -> dict[str, Any]:
    hotton, home = network["cpas-hotton"], network["home-hotton"]
    agreed = {"partners": ["home-hotton"], "purposes": ["employer"], "channel": "paper"}
    hotton.done("POST", f"/beneficiaries/{beneficiary}/consents", agreed)
    proposed = {
        "beneficiary": beneficiary,
        "employer": "home-hotton",
        "kind": "art60_7",
        "goal": "gain_experience",
        "chosen_by": "together",
        "planned_start": day(),
    }
    placement = hotton.done("POST", "/placements", proposed)
    home.done("POST", f"/placements/{placement['ref']}/confirm", {"happened_on": day()})
    home.done("POST", f"/placements/{placement['ref']}/start", {"started_on": day()})
    return placement


def _events(network: Network, beneficiary: str, number: int) -> dict[str, Any]:
    """The pathway once it has `number` events."""

    def known() -> dict[str, Any] | None:
        found = network.pathway("cpas-hotton", beneficiary)
        return found if found and len(found["events"]) >= number else None

    return dict(eventually(known))


def test_a_non_linear_pathway_is_shown_in_real_order_with_causes(network: Network) -> None:
    """Domain.md, section 9, story 1: no order of moments is refused."""
    referral = network["cpas-hotton"].refer("le-trusquin", moment="projet", reason="bilan", goal="choose_project")
    beneficiary = referral["beneficiary"]
    _trained(network, beneficiary, referral, "bilan_new", tool="gingo")
    _employed(network, beneficiary)
    alias = network["le-trusquin"].done("GET", f"/referrals/{referral['ref']}")["beneficiary"]
    _started(network, alias, "autoformation_permis")
    _started(network, alias, "formation")

    pathway = _events(network, beneficiary, 16)
    steps = [step for step in pathway["steps"] if step["moment"] != "accueil"]
    assert [step["moment"] for step in steps] == ["projet", "experience", "preformation", "formation"]
    assert [step["partner"] for step in steps] == ["le-trusquin", "home-hotton", "le-trusquin", "le-trusquin"]
    assert [step["left_at"] is None for step in steps] == [False, True, True, True], "in parallel"
    assert steps[0]["meaning"]["goal"] in {"choose_project", "basic_skills"}
    assert {step["meaning"]["chosen_by"] for step in steps} <= {"together", "person"}
    ids = {event["id"] for event in pathway["events"]}
    assert all(step["cause"] in ids for step in steps)


def test_every_events_cause_leads_to_a_partners_call(network: Network, stack: Stack) -> None:
    hotton, trusquin = network["cpas-hotton"], network["le-trusquin"]
    sent = hotton.call("POST", "/referrals", _referral())
    referral = sent.json()
    received = trusquin.call("POST", f"/referrals/{referral['ref']}/receive", {})
    started = [
        trusquin.call("POST", f"/referrals/{referral['ref']}/{action}", body)
        for action, body in (("accept", {}), ("start", {"started_on": day()}))
    ]
    calls = {answer.headers["Jalons-Call"] for answer in (sent, received, *started)}
    pathway = _events(network, referral["beneficiary"], 6)

    headers = hub_token(network, stack.secrets["hub_client_secret"])

    def derived() -> list[dict[str, Any]]:
        answer = network.http.get(
            f"{stack.info['observation']}/events", params={"subject": referral["beneficiary"]}, headers=headers
        )
        found: list[dict[str, Any]] = answer.json()["items"]
        return found if len(found) == 3 else []

    events = eventually(derived)
    assert [(event["type"], event["data"]["moment"]) for event in events] == [
        ("jalons.pathway.moment_entered.v1", "accueil"),
        ("jalons.pathway.moment_left.v1", "accueil"),
        ("jalons.pathway.moment_entered.v1", "formation"),
    ]
    key = stack.secrets["secret_key"]
    written = [each for each in log_of(network, headers) if each["subject"] == referral["beneficiary"]]
    assert {own(key, event["causationid"], event["partner"]) for event in written} == calls
    seen = [own(key, event["causationid"], "cpas-hotton") for event in written]
    assert [event["causation"] for event in pathway["events"]] == seen, "the home partner has ids of its own of them"
    caused = {event["id"]: event["causationid"] for event in written}
    assert all(event["causationid"] in caused for event in events)
    assert all(event["correlationid"] in caused.values() for event in events)


def test_counts_equal_a_recount_of_the_log(network: Network, stack: Stack) -> None:
    declined = network["cpas-erezee"].refer("le-trusquin")
    network["le-trusquin"].done(
        "POST", f"/referrals/{declined['ref']}/decline", {"reason": "no_place", "declined_by": "provider"}
    )
    headers = hub_token(network, stack.secrets["hub_client_secret"])

    def recounted() -> bool:
        log = log_of(network, headers)
        found = recount(log)
        totals = {measure: _count(network, "integra-plus", measure) for measure in COUNTED}
        return found["referrals_declined"] > 0 and totals == found

    eventually(recounted)
    assert _count(network, "cpas-erezee", "referrals_declined") == 1, "the home partner has counts of its own"
    assert _count(network, "forem-marche", "referrals_sent") == 0, "an uninvolved partner counts nothing"


def test_network_counts_are_refused_until_a_period_is_closed(network: Network) -> None:
    answer = network["cpas-hotton"].done(
        "GET", "/counts?measure=referrals_sent&by=month&scope=network", service="observation"
    )
    assert answer["total"] is None
    assert all(cell["n"] is None and cell["shown"] == "–" for cell in answer["cells"])


def test_trainer_employer_and_referrer_are_notified_once_each(network: Network) -> None:
    referral = network["cpas-hotton"].refer("le-trusquin")
    network["le-trusquin"].done("POST", f"/referrals/{referral['ref']}/accept", {"first_contact_on": day(4)})
    placement = _employed(network, referral["beneficiary"])

    def deliveries() -> list[tuple[str, str]]:
        references = (referral["ref"], placement["ref"])
        found = [
            (mail["to"], next(ref for ref in references if ref in mail["subject"]))
            for mail in network.mails()
            if any(ref in mail["subject"] for ref in references)
        ]
        return found if len(found) >= 5 else []

    assert Counter(eventually(deliveries)) == {
        ("accueil@le-trusquin.example", referral["ref"]): 1,
        ("insertion@cpas-hotton.example", referral["ref"]): 1,
        ("rh@home-hotton.example", placement["ref"]): 1,
        ("insertion@cpas-hotton.example", placement["ref"]): 2,
    }


def _referral() -> dict[str, Any]:
    return {
        "person": {"profile": PROFILE},
        "agreement": {"channel": "paper"},
        "recipient": "le-trusquin",
        "moment": "formation",
        "reason": "training",
        "goal": "qualify",
        "chosen_by": "together",
        "contact": "receiver_calls_referrer",
    }


def _count(network: Network, who: str, measure: str) -> int:
    answer = network[who].done("GET", f"/counts?measure={measure}&by=month&{MONTHS}", service="observation")
    return int(answer["total"])
