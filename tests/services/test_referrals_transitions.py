"""Every row of the life cycles' tables over HTTP: done by each who may, refused to everybody else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from services.referrals.acts import lifecycle
from services.referrals.acts.http import ACTIONS
from services.referrals.acts.lifecycle import BEFORE, STAYS, Transition
from tests.support.acting import (
    COORDINATOR,
    EMPLOYER,
    GIVEN,
    HOTTON,
    ROLES,
    TABLES,
    TODAY,
    TRUSQUIN,
    born,
    by_role,
    given,
    standing,
)
from tests.support.calls import end_of_log, refused, sheet
from tests.support.days import day
from tests.support.network import Network, Partner, eventually
from tests.support.rerouting import SECOND, SECOND_OFFER, agree, joins, offers, second_operator

CASES = [(noun, row, source) for noun, table in TABLES.items() for row in table for source in sorted(row.source)]
OF_PARTNERS = [case for case in CASES if "hub" not in case[1].by]
NAMES = [f"{noun}-{row.action}-{source}" for noun, row, source in OF_PARTNERS]


def test_there_is_a_route_for_every_row_but_the_hubs_own() -> None:
    for noun, table in TABLES.items():
        assert {row.action for row in table if row.source and "hub" not in row.by} == ACTIONS[noun].keys()


@pytest.mark.parametrize(("noun", "row", "source"), OF_PARTNERS, ids=NAMES)
def test_a_row_is_done_by_each_who_may_and_by_nobody_else(
    network: Network, noun: str, row: Transition, source: str
) -> None:
    body = given(noun, row.action)
    for role in sorted(row.by):
        reference = standing(network, noun, source)
        path = f"/{noun}/{reference}/{row.action}"
        may = {by_role(network, noun, each).slug for each in row.by}
        before = network[HOTTON].done("GET", f"/{noun}/{reference}")
        for stranger in {*ROLES[noun].values(), COORDINATOR, "forem-marche"} - may:
            answer = network[stranger].call("POST", path, body)
            code = {COORDINATOR: "wrong_scope", "forem-marche": "not_found"}.get(stranger, "transition_not_allowed")
            assert answer.json()["code"] == code, (stranger, answer.text)
        assert network[HOTTON].done("GET", f"/{noun}/{reference}") == before
        who = by_role(network, noun, role)
        if row.must_give:
            refused(who.call("POST", path, {}), 422, "missing")
        done = who.done("POST", path, body)
        after = network[HOTTON].done("GET", f"/{noun}/{reference}")
        expected = {STAYS: source, BEFORE: "sent" if source == "declined" else "accepted"}
        if source == "completed" and row.target == BEFORE:
            expected[BEFORE] = "started"
        assert after["status"] == expected.get(row.target, row.target)
        assert after["version"] == before["version"] + 1
        if row.action == "redirect":
            assert (done["status"], done["parent"]) == ("sent", before["referral_id"])
        else:
            assert (done["status"], done["version"]) == (after["status"], after["version"])


STATUSES = [
    (noun, status)
    for noun, table in TABLES.items()
    for status in sorted({status for row in table for status in (*row.source, row.target)} - {STAYS, BEFORE})
]


@pytest.mark.parametrize(("noun", "status"), STATUSES)
def test_in_every_status_what_the_table_does_not_have_is_refused_with_what_is_open(
    network: Network, noun: str, status: str
) -> None:
    reference = standing(network, noun, status)
    before = network[HOTTON].done("GET", f"/{noun}/{reference}")
    open_now = {row.action for row in TABLES[noun] if status in row.source}
    for row in (row for row in TABLES[noun] if row.action in ACTIONS[noun].keys() - open_now):
        for who in {by_role(network, noun, role).slug for role in row.by}:
            answer = network[who].call("POST", f"/{noun}/{reference}/{row.action}", given(noun, row.action))
            problem = refused(answer, 409, "transition_not_allowed")
            assert set(problem["actions"]) <= open_now
    assert network[HOTTON].done("GET", f"/{noun}/{reference}") == before


@pytest.mark.parametrize("action", ["expire", "lapse", "send"])
def test_what_the_hub_does_and_what_begins_has_no_route(network: Network, action: str) -> None:
    reference = born(network, "referrals")
    assert network[HOTTON].call("POST", f"/referrals/{reference}/{action}", {}).status_code in (404, 405)


def test_the_referrer_records_what_a_receiver_said_and_the_receiver_corrects_it(network: Network) -> None:
    home, receiver = network[HOTTON], network[TRUSQUIN]
    reference = born(network, "referrals")
    path = f"/referrals/{reference}"
    refused(receiver.call("POST", f"{path}/accept", {"reported_by": "referrer"} | GIVEN["accept"]), 422, "invalid")
    told = home.done("POST", f"{path}/decline", {"reported_by": "referrer"} | GIVEN["decline"])
    assert (told["status"], told["reported_by"]) == ("declined", "referrer")
    assert told["alternatives"], "the referrer looks further at once"
    assert receiver.done("POST", f"{path}/reopen", {"reason": "recorded_in_error"})["status"] == "sent"
    accepted = receiver.done("POST", f"{path}/accept", GIVEN["accept"])
    assert (accepted["status"], "reported_by" in accepted) == ("accepted", False)


def test_the_coordinator_sees_no_person_and_suggests_without_moving_anybody(network: Network) -> None:
    reference = standing(network, "referrals", "received")
    coordinator, path = network[COORDINATOR], f"/referrals/{reference}"
    seen = coordinator.done("GET", path)
    assert set(seen) == {"ref", "status", "version", "referrer", "recipient", "moment", "reply_by", "actions"}
    assert seen["actions"] == ["suggest", "void"]
    suggested = coordinator.done("POST", f"{path}/suggest", GIVEN["suggest"])
    assert set(suggested) == set(seen)
    known = network[HOTTON].done("GET", path)
    assert (known["status"], known["suggested_offer"], known["suggested_partner"]) == ("received", SECOND_OFFER, SECOND)
    assert not {"suggested_offer", "suggested_partner"} & network[TRUSQUIN].done("GET", path).keys()
    refused(coordinator.call("POST", f"{path}/suggest", {"offer": "auxiliaire-de-soins"}), 409, "comes_back")
    refused(coordinator.call("POST", f"{path}/suggest", {"offer": "not-there"}), 422, "invalid")
    moved = network[HOTTON].done("POST", f"{path}/redirect", {"offer": SECOND_OFFER} | GIVEN["redirect"])
    assert moved["recipient"] == SECOND


def test_what_a_redirect_would_refuse_is_not_suggested_either(network: Network) -> None:
    """Who may send to whom is one rule: an offer of a partner that paused was suggested, and then refused."""
    paused, offer = "atelier-en-pause", "cours-en-pause"
    joins(network, paused, "association", ["formation"], secrecy_class="discretion")
    agree(network, [HOTTON], [paused], ["formation"])
    offers(network, offer, paused)
    network.operator.done("PUT", f"/partners/{paused}/status", {"status": "suspended"})
    path = f"/referrals/{standing(network, 'referrals', 'received')}"
    refused(network[COORDINATOR].call("POST", f"{path}/suggest", {"offer": offer}), 409, "partner_not_active")
    refused(network[HOTTON].call("POST", f"{path}/redirect", {"offer": offer}), 409, "partner_not_active")


def test_a_chain_of_redirects_has_five_links(network: Network) -> None:
    stations = [f"station-{number}" for number in range(1, 7)]
    for slug in stations:
        joins(network, slug, "training_operator", ["formation"], secrecy_class="discretion")
    agree(network, [HOTTON], stations, ["formation"])
    home, reference = network[HOTTON], born(network, "referrals")
    for slug in stations[:5]:
        body = {"recipient": slug, "agreement": {"channel": "oral"}}
        reference = home.done("POST", f"/referrals/{reference}/redirect", body)["ref"]
    body = {"recipient": stations[5], "agreement": {"channel": "oral"}}
    refused(home.call("POST", f"/referrals/{reference}/redirect", body), 409, "chain_too_long")
    refused(home.call("POST", f"/referrals/{reference}/redirect", {"recipient": stations[2]}), 409, "comes_back")


def alternatives(network: Network) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two accepted referrals of one person, the second an alternative to the first."""
    home, second = network[HOTTON], second_operator(network)
    one = home.refer(TRUSQUIN)
    other = home.refer(SECOND, beneficiary=one["beneficiary"], alternative_to=one["ref"])
    network[TRUSQUIN].done("POST", f"/referrals/{one['ref']}/accept", {})
    second.done("POST", f"/referrals/{other['ref']}/accept", {})
    return one, other


def test_when_one_alternative_starts_the_other_lapses_by_the_hub(network: Network) -> None:
    one, other = alternatives(network)
    position = end_of_log(network[SECOND])
    alias = network[TRUSQUIN].done("GET", f"/referrals/{one['ref']}")["beneficiary"]
    sense = {"goal": "qualify", "chosen_by": "together", "planned_start": TODAY, "kind": "formation"}
    training = network[TRUSQUIN].done("POST", "/trainings", {"beneficiary": alias, "referral_id": one["ref"], **sense})
    alias = network[SECOND].done("GET", f"/referrals/{other['ref']}")["beneficiary"]
    late = network[SECOND].done("POST", "/trainings", {"beneficiary": alias, "referral_id": other["ref"], **sense})
    network[TRUSQUIN].done("POST", f"/trainings/{training['ref']}/start", GIVEN["start"])
    lapsed = network[SECOND].done("GET", f"/referrals/{other['ref']}")
    assert (lapsed["status"], lapsed["actions"]) == ("cancelled", [])
    refused(
        network[SECOND].call("POST", f"/referrals/{other['ref']}/start", GIVEN["start"]), 409, "transition_not_allowed"
    )
    refused(network[SECOND].call("POST", f"/trainings/{late['ref']}/start", GIVEN["start"]), 409, "referral_not_open")
    said = eventually(lambda: _cancelled(network[SECOND], position))
    assert (said["data"]["reference"], said["data"]["reason"], said["partner"]) == (
        other["ref"],
        "other_training",
        "hub",
    )
    assert TRUSQUIN not in str(said), "who took the person on is not said to the other"


def test_what_an_alternative_is_redirected_to_is_an_alternative_too(network: Network) -> None:
    home, second = network[HOTTON], second_operator(network)
    first = home.refer(TRUSQUIN)
    person = first["beneficiary"]
    one = home.refer(TRUSQUIN, beneficiary=person, alternative_to=first["ref"], follows=first["ref"])
    moved = home.done("POST", f"/referrals/{one['ref']}/redirect", GIVEN["redirect"])
    assert (moved["follows"], moved["alternative_to"]) == (first["referral_id"], first["referral_id"])
    second.done("POST", f"/referrals/{moved['ref']}/accept", {"first_contact_on": TODAY})
    second.done("POST", f"/referrals/{moved['ref']}/start", GIVEN["start"])
    assert home.done("GET", f"/referrals/{first['ref']}")["status"] == "cancelled"


def _cancelled(partner: Partner, after: str) -> dict[str, Any] | None:
    seen = partner.done("GET", f"/events?after={after}&limit=500")["items"]
    return next((each for each in seen if each["type"] == "jalons.referral.cancelled.v1"), None)


def test_of_two_alternatives_started_at_once_one_starts(network: Network) -> None:
    for _ in range(5):
        one, other = alternatives(network)
        calls = [(network[TRUSQUIN], one["ref"]), (network[SECOND], other["ref"])]
        with ThreadPoolExecutor(2) as pool:
            answers = list(
                pool.map(lambda each: each[0].call("POST", f"/referrals/{each[1]}/start", GIVEN["start"]), calls)
            )
        assert sorted(answer.status_code for answer in answers) == [200, 409], [a.text for a in answers]
        statuses = {network[HOTTON].done("GET", f"/referrals/{each['ref']}")["status"] for each in (one, other)}
        assert statuses == {"started", "cancelled"}


def test_an_end_on_which_something_was_built_is_not_taken_back(network: Network) -> None:
    home = network[HOTTON]
    reference = standing(network, "referrals", "completed")
    known = home.done("GET", f"/referrals/{reference}")
    home.refer(TRUSQUIN, beneficiary=known["beneficiary"], follows=reference)
    path = f"/referrals/{reference}/reopen"
    refused(network[TRUSQUIN].call("POST", path, GIVEN["reopen"]), 409, "followed")
    assert network[COORDINATOR].done("POST", path, GIVEN["reopen"])["status"] == "started"


def test_an_end_is_taken_back_for_two_working_days(network: Network) -> None:
    reference = standing(network, "referrals", "declined")
    with psycopg.connect(network.info["database"]) as conn:
        conn.execute(
            "UPDATE referrals.referrals SET facts = jsonb_set(facts, '{last_act,on}', '\"2026-01-05\"')"
            " WHERE reference = %s",
            (reference,),
        )
    refused(network[TRUSQUIN].call("POST", f"/referrals/{reference}/reopen", GIVEN["reopen"]), 409, "too_late")
    assert network[COORDINATOR].done("POST", f"/referrals/{reference}/reopen", GIVEN["reopen"])["status"] == "sent"


def test_a_referral_to_the_same_offer_keeps_a_declined_one_from_being_reopened(network: Network) -> None:
    home, receiver, offer = network[HOTTON], network[TRUSQUIN], "auxiliaire-de-soins"
    first = home.refer(TRUSQUIN, offer=offer)
    receiver.done("POST", f"/referrals/{first['ref']}/decline", GIVEN["decline"])
    home.refer(TRUSQUIN, offer=offer, beneficiary=first["beneficiary"])
    refused(receiver.call("POST", f"/referrals/{first['ref']}/reopen", GIVEN["reopen"]), 409, "already_open")


def test_an_offer_is_enough_to_know_the_recipient(network: Network) -> None:
    home = network[HOTTON]
    sent = home.done("POST", "/referrals", sheet(recipient=None, offer="auxiliaire-de-soins"))
    assert sent["recipient"] == TRUSQUIN
    problem = refused(home.call("POST", "/referrals", sheet(recipient=None)), 422, "missing")
    assert [each["at"] for each in problem["fields"]] == ["recipient or offer"]


def test_offers_that_fit_lie_near_only_for_whoever_was_told_the_commune(network: Network) -> None:
    home, receiver = network[HOTTON], network[TRUSQUIN]
    second_operator(network)
    offers(network, "aa-au-loin", SECOND, commune_nis="83034")
    reference = born(network, "referrals")
    told = receiver.done("POST", f"/referrals/{reference}/decline", GIVEN["decline"])
    mine = ("aa-au-loin", SECOND_OFFER)
    theirs = [each["offer"] for each in told["alternatives"] if each["offer"] in mine]
    assert theirs == ["aa-au-loin", SECOND_OFFER], "by name"
    known = home.done("GET", f"/referrals/{reference}")["alternatives"]
    theirs = [each["offer"] for each in known if each["offer"] in mine]
    assert theirs == [SECOND_OFFER, "aa-au-loin"], "the person lives at Hotton"
    assert all(each["partner"] != TRUSQUIN for each in known), "not the one who declined"


def test_an_employer_that_declines_learns_nothing_more(network: Network) -> None:
    job = {"recipient": EMPLOYER, "moment": "experience", "reason": "work_experience"}
    reference = network[HOTTON].refer(EMPLOYER, **job)["ref"]
    told = network[EMPLOYER].done("POST", f"/referrals/{reference}/decline", GIVEN["decline"])
    hidden = {"alternatives", "referrer", "home", "reason", "goal", "chosen_by", "disclosed", "decline_reason"}
    assert not hidden & told.keys()
    assert "alternatives" in network[HOTTON].done("GET", f"/referrals/{reference}")


def test_a_follow_up_is_recorded_once_and_the_employer_does_not_see_it(network: Network) -> None:
    reference = standing(network, "placements", "ended")
    path = f"/placements/{reference}"
    network[HOTTON].done("POST", f"{path}/follow-up", GIVEN["follow-up"])
    refused(network[HOTTON].call("POST", f"{path}/follow-up", GIVEN["follow-up"]), 409, "already_recorded")
    refused(network[HOTTON].call("POST", f"{path}/follow-up", GIVEN["follow-up"] | {"months": 4}), 422, "invalid")
    assert network[HOTTON].done("GET", path)["follow_ups"] == {"3": "in_job"}
    assert not {"follow_ups", "end_reason", "proposer", "home"} & network[EMPLOYER].done("GET", path).keys()


@pytest.mark.parametrize("action", ["waitlist", "redirect", "cancel", "void", "suggest"])
def test_an_act_may_have_happened_earlier_never_later(network: Network, action: str) -> None:
    second_operator(network)
    reference = network[HOTTON].refer(TRUSQUIN, contact="person_comes", happened_on=day(-5))["ref"]
    row = next(row for row in lifecycle.REFERRAL if row.action == action)
    who, path = by_role(network, "referrals", max(row.by)), f"/referrals/{reference}/{action}"
    refused(who.call("POST", path, given("referrals", action) | {"happened_on": day(2)}), 422, "invalid")
    assert network[HOTTON].done("GET", f"/referrals/{reference}")["version"] == 1
    who.done("POST", path, given("referrals", action) | {"happened_on": day(-3)})


def test_the_lists_of_codes_are_read_by_any_partner(network: Network) -> None:
    lists = network[EMPLOYER].done("GET", "/codes")["lists"]
    assert {"code": "wrong_person", "label": "Mauvaise personne"} in lists["void_reason"]
