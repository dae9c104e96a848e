"""Every act and every date that it takes: what cannot be is refused and changes nothing, what may be is taken."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from dateutil.relativedelta import relativedelta
from pydantic import BaseModel

from jalons.clock import local_date, now
from services.referrals.activities.bodies import ActivityBody
from services.referrals.acts import bodies
from services.referrals.acts.dates import HAPPENED, PLANNED
from services.referrals.acts.http import ACTIONS
from services.referrals.agreements.bodies import ConsentBody
from services.referrals.deadlines.working_days import after_working_days, before_working_days
from services.referrals.needs.bodies import NeedBody
from services.referrals.persons.bodies import BeneficiaryBody, LeaveBody, PauseBody, ProfileChange, ResumeBody
from tests.support.acting import EMPLOYER, HOTTON, TABLES, TRUSQUIN, born, by_role, given, standing
from tests.support.calls import refused, sheet, written
from tests.support.network import PROFILE, Network

TODAY = local_date(now())
OTHER = {"expires_on"}
"""Dates that belong to no act: the end of an agreement is the person's to say."""


def days(form: type[BaseModel]) -> list[str]:
    """The fields of a body that are dates."""
    fields = form.model_json_schema()["properties"].items()
    return [name for name, schema in fields if "'format': 'date'" in str(schema)]


def wrong(field: str) -> Iterator[date]:
    """Days that cannot be those of an act that follows one of today."""
    if field in HAPPENED:
        yield TODAY + timedelta(days=1)
        yield TODAY - timedelta(days=1)
        yield TODAY - relativedelta(years=5, days=1)
    else:
        yield before_working_days(TODAY, 6)
        yield TODAY + relativedelta(years=3, days=1)


ACTS = [(noun, action) for noun, forms in ACTIONS.items() for action in forms]


def test_each_date_of_each_body_is_of_what_happened_or_of_what_is_planned() -> None:
    forms = [form for each in ACTIONS.values() for form in each.values()]
    forms += [bodies.ReferralBody, bodies.TrainingBody, bodies.PlacementBody, BeneficiaryBody, ProfileChange]
    forms += [PauseBody, ResumeBody, LeaveBody, ActivityBody, NeedBody, ConsentBody]
    for form in forms:
        assert "happened_on" in days(form), form
        assert {*days(form)} <= {*HAPPENED, *PLANNED, *OTHER}, form


@pytest.mark.parametrize(("noun", "action"), ACTS, ids=[f"{noun}-{action}" for noun, action in ACTS])
def test_a_step_is_dated_after_what_it_follows_and_plans_near_its_own_day(
    network: Network, noun: str, action: str
) -> None:
    row = next(row for row in TABLES[noun] if row.action == action and "hub" not in row.by)
    reference = standing(network, noun, min(row.source))
    who, path = by_role(network, noun, min(row.by)), f"/{noun}/{reference}"
    before = network[HOTTON].done("GET", path)["version"]
    for field in days(ACTIONS[noun][action]):
        for day in wrong(field):
            body = given(noun, action) | {field: day.isoformat()}
            problem = refused(who.call("POST", f"{path}/{action}", body), 422, "invalid")
            assert (problem["fields"][0]["at"], "happened_on" in problem["cure"]) == (field, True), (day, problem)
    assert network[HOTTON].done("GET", path)["version"] == before
    body = given(noun, action) | {"happened_on": TODAY.isoformat()}
    assert who.call("POST", f"{path}/{action}", body).is_success


CREATED = {"referrals": bodies.ReferralBody, "trainings": bodies.TrainingBody, "placements": bodies.PlacementBody}


def beginning(network: Network, noun: str, today: date = TODAY) -> tuple[str, dict[str, Any]]:
    """Who begins one, and with what."""
    if noun == "referrals":
        return HOTTON, sheet()
    sense = {"goal": "qualify", "chosen_by": "together", "planned_start": today.isoformat()}
    made = network[HOTTON].refer(TRUSQUIN)
    if noun == "trainings":
        alias = network[TRUSQUIN].done("GET", f"/referrals/{made['ref']}")["beneficiary"]
        return TRUSQUIN, {"beneficiary": alias, "kind": "formation", **sense}
    agreed = {"partners": [EMPLOYER], "purposes": ["employer"], "channel": "paper"}
    network[HOTTON].done("POST", f"/beneficiaries/{made['beneficiary']}/consents", agreed)
    return HOTTON, {"beneficiary": made["beneficiary"], "employer": EMPLOYER, "kind": "cdd", **sense}


@pytest.mark.parametrize("noun", CREATED)
def test_what_begins_is_dated_within_five_years_and_plans_near_its_own_day(network: Network, noun: str) -> None:
    partner, body = beginning(network, noun)
    before = written(network)
    for field in days(CREATED[noun]):
        for day in {*wrong(field)} - {TODAY - timedelta(days=1)}:
            own_day = {} if field == "happened_on" else {"happened_on": TODAY.isoformat()}
            answer = network[partner].call("POST", f"/{noun}", body | own_day | {field: day.isoformat()})
            assert refused(answer, 422, "invalid")["fields"][0]["at"] == field
    assert written(network) == before
    oldest = {"happened_on": (TODAY - relativedelta(years=5)).isoformat()}
    if noun != "referrals":
        oldest["planned_start"] = oldest["happened_on"]
    assert network[partner].call("POST", f"/{noun}", body | oldest).status_code == 201


@pytest.mark.parametrize("noun", ["trainings", "placements"])
def test_what_was_planned_for_a_past_day_counts_as_planned_on_that_day(network: Network, noun: str) -> None:
    start = TODAY - timedelta(days=80)
    partner, body = beginning(network, noun, start)
    made = network[partner].done("POST", f"/{noun}", body | {"planned_end": (TODAY + timedelta(days=5)).isoformat()})
    path = f"/{noun}/{made['ref']}"
    if noun == "placements":
        network[EMPLOYER].done("POST", f"{path}/confirm", {"happened_on": start.isoformat()})
    who = network[TRUSQUIN if noun == "trainings" else EMPLOYER]
    refused(who.call("POST", f"{path}/start", {"started_on": (start - timedelta(days=1)).isoformat()}), 422, "invalid")
    who.done("POST", f"{path}/start", {"started_on": start.isoformat()})
    early = body | {"planned_end": (start - timedelta(days=1)).isoformat()}
    assert refused(network[partner].call("POST", f"/{noun}", early), 422, "invalid")["fields"][0]["at"] == "planned_end"


def test_a_years_story_is_told_afterwards_in_its_own_order(network: Network) -> None:
    first = TODAY - relativedelta(years=1)

    def day(after: int) -> str:
        return (first + timedelta(days=after)).isoformat()

    sent = network[HOTTON].refer(TRUSQUIN, contact="person_comes", happened_on=day(0))
    path, receiver = f"/referrals/{sent['ref']}", network[TRUSQUIN]
    contact = {"first_contact_on": day(5)}
    refused(receiver.call("POST", f"{path}/accept", contact), 422, "invalid")
    receiver.done("POST", f"{path}/accept", contact | {"happened_on": day(3)})
    alias = receiver.done("GET", path)["beneficiary"]
    plan = {"beneficiary": alias, "kind": "formation", "goal": "qualify", "chosen_by": "together"}
    plan |= {"referral_id": sent["ref"], "planned_start": day(8)}
    refused(receiver.call("POST", "/trainings", plan | {"happened_on": day(2)}), 422, "invalid")
    training = receiver.done("POST", "/trainings", plan | {"happened_on": day(4)})
    its = f"/trainings/{training['ref']}"
    receiver.done("POST", f"{its}/start", {"started_on": day(8)})
    assert receiver.done("GET", path)["status"] == "started"
    done = {"outcome": "acquired", "hours_done": 30}
    refused(receiver.call("POST", f"{its}/complete", done | {"happened_on": day(7)}), 422, "invalid")
    receiver.done("POST", f"{its}/complete", done | {"happened_on": day(90)})
    after = network[HOTTON].refer(
        TRUSQUIN, beneficiary=sent["beneficiary"], moment="projet", follows=sent["ref"], happened_on=day(90)
    )
    assert after["follows"] == sent["referral_id"]
    earlier = sheet(person=None, beneficiary=sent["beneficiary"], moment="preformation", follows=sent["ref"])
    refused(
        network[HOTTON].call("POST", "/referrals", earlier | {"happened_on": (first - timedelta(days=1)).isoformat()}),
        422,
        "invalid",
    )


def test_what_is_taken_back_was_not_followed(network: Network) -> None:
    sent = network[HOTTON].refer(TRUSQUIN, happened_on=(TODAY - timedelta(days=9)).isoformat())
    path, receiver = f"/referrals/{sent['ref']}", network[TRUSQUIN]
    receiver.done("POST", f"{path}/decline", {"reason": "no_place", "declined_by": "provider"})
    receiver.done("POST", f"{path}/reopen", {"reason": "recorded_in_error"})
    receiver.done("POST", f"{path}/accept", {"happened_on": (TODAY - timedelta(days=8)).isoformat()})


def test_other_acts_about_a_person_are_dated_by_the_same_rule(network: Network) -> None:
    home, old = network[HOTTON], TODAY - relativedelta(years=5, days=1)
    person = {"profile": PROFILE}
    refused(home.call("POST", "/beneficiaries", person | {"happened_on": old.isoformat()}), 422, "invalid")
    registered = TODAY - timedelta(days=20)
    ref = home.done("POST", "/beneficiaries", person | {"happened_on": registered.isoformat()})["beneficiary"]
    path = f"/beneficiaries/{ref}"
    for day in (registered - timedelta(days=1), TODAY + timedelta(days=1)):
        refused(home.call("POST", f"{path}/pause", {"happened_on": day.isoformat()}), 422, "invalid")
    home.done("POST", f"{path}/pause", {"happened_on": (registered + timedelta(days=5)).isoformat()})
    left = {"reason": "moved", "happened_on": (registered + timedelta(days=4)).isoformat()}
    refused(home.call("POST", f"{path}/leave", left), 422, "invalid")
    need = {"domain": "mobilite", "kind": "obstacle", "source": "public", "commune_nis": "83028", "beneficiary": ref}
    agreed = {"partners": [TRUSQUIN], "purposes": ["referral"], "channel": "oral"}
    activity = {"beneficiary": ref, "form": "asbl"}
    for day in (old, TODAY + timedelta(days=1)):
        on = {"happened_on": day.isoformat()}
        refused(home.call("POST", "/needs", need | on), 422, "invalid")
        refused(home.call("POST", f"{path}/consents", agreed | on), 422, "invalid")
        changed = {"profile": PROFILE | {"age_band": "30-44"}}
        refused(home.call("PUT", f"{path}/profile", changed | on), 422, "invalid")
        refused(home.call("POST", "/activities", activity | {"on": day.isoformat()}), 422, "invalid")
    late = {"on": TODAY.isoformat(), "happened_on": (TODAY - timedelta(days=1)).isoformat()}
    refused(home.call("POST", "/activities", activity | late), 422, "invalid")


def test_the_bounds_count_working_days() -> None:
    monday = date(2026, 11, 30)
    assert before_working_days(monday, 5) == date(2026, 11, 23)
    assert before_working_days(date(2026, 12, 28), 5) == date(2026, 12, 18), "Christmas is no working day"
    assert after_working_days(before_working_days(monday, 5), 5) == monday


def test_accepted_before_it_was_sent_started_and_completed_years_ago_is_refused(network: Network) -> None:
    reference = born(network, "referrals")
    path, receiver = f"/referrals/{reference}", network[TRUSQUIN]
    new_year = TODAY.replace(month=1, day=1) - relativedelta(years=1)
    refused(receiver.call("POST", f"{path}/accept", {"first_contact_on": new_year.isoformat()}), 422, "invalid")
    receiver.done("POST", f"{path}/accept", {"first_contact_on": TODAY.isoformat()})
    refused(receiver.call("POST", f"{path}/start", {"started_on": "2020-03-02"}), 422, "invalid")
    receiver.done("POST", f"{path}/start", {"started_on": TODAY.isoformat()})
    done = {"outcome": "reached", "happened_on": "2019-06-03"}
    refused(receiver.call("POST", f"{path}/complete", done), 422, "invalid")
