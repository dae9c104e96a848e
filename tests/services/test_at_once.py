"""Many calls at once: one key is done once, two receivers of one person do not meet, who comes late is told so."""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from jalons.clock import local_date, now
from jalons.database import transaction
from services.referrals.calls.idempotency import stored_key
from services.referrals.tables import beneficiaries
from tests.support.apps import Apps
from tests.support.calls import refused, sheet
from tests.support.network import PROFILE, Partner

TODAY = local_date(now()).isoformat()
ROUNDS = 15
SENSE = {"goal": "qualify", "chosen_by": "together", "planned_start": TODAY}


def test_a_hundred_at_once_under_one_key_make_one_referral(apps: Apps) -> None:
    home, key = apps.network["cpas-hotton"], str(uuid.uuid4())
    home.token()
    body = sheet(person={"profile": PROFILE, "local_ref": str(uuid.uuid4())})
    start = Barrier(100)

    def send(_: int) -> httpx.Response:
        start.wait()
        return home.call("POST", "/referrals", body, key=key)

    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(send, range(100)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {"still_running"}
    made = {json.dumps(answer.json(), sort_keys=True) for answer in answers if answer.status_code == 201}
    assert len(made) == 1, "one answer, the same to all"
    person = next(answer.json()["beneficiary"] for answer in answers if answer.status_code == 201)
    for table, column, rows in (("referrals", "ref", 1), ("consents", "ref", 1), ("events", "subject", 3)):
        assert apps.rows("referrals", f"SELECT count(*) AS n FROM {table} WHERE {column} = %s", person)[0].n == rows
    assert apps.rows("referrals", "SELECT count(*) AS n FROM idempotency WHERE key = %s", stored_key(key))[0].n == 1
    assert home.call("POST", "/referrals", body, key=key).json() == json.loads(made.pop()), "and so is the next"


def taken_up(receiver: Partner, reference: str, kind: str, start: Barrier) -> list[int]:
    """Accept, enrol and start, as a receiver's system does it in a row."""
    named = receiver.done("GET", f"/referrals/{reference}")["beneficiary"]
    start.wait()
    answers = [receiver.call("POST", f"/referrals/{reference}/accept", {})]
    plan = SENSE | {"beneficiary": named, "referral_id": reference, "kind": kind}
    made = receiver.call("POST", "/trainings", plan)
    answers.append(made)
    if made.status_code == 201:
        answers.append(receiver.call("POST", f"/trainings/{made.json()['ref']}/start", {"started_on": TODAY}))
    return [answer.status_code for answer in answers]


@pytest.fixture(scope="module")
def two_receivers(apps: Apps) -> tuple[Partner, Partner]:
    """Le Trusquin, and the FOREM by a convention of its own."""
    scope = [{"from": "cpas-hotton", "to": "forem-marche", "moments": ["formation", "projet"]}]
    convention = apps.network.convention() | {"parties": ["cpas-hotton", "forem-marche"], "scope": scope}
    apps.network.operator.done("POST", "/conventions", convention)
    return apps.network["le-trusquin"], apps.network["forem-marche"]


def test_two_receivers_take_up_one_person_at_the_same_time(apps: Apps, two_receivers: tuple[Partner, Partner]) -> None:
    home, seen = apps.network["cpas-hotton"], Counter[int]()
    with ThreadPoolExecutor(2) as pool:
        for _ in range(ROUNDS):
            first = home.refer("le-trusquin")
            second = home.refer("forem-marche", beneficiary=first["beneficiary"])
            start = Barrier(2)
            at_once = [
                pool.submit(taken_up, receiver, made["ref"], "formation", start)
                for receiver, made in zip(two_receivers, (first, second), strict=True)
            ]
            for each in at_once:
                seen.update(each.result())
            for made in (first, second):
                assert home.done("GET", f"/referrals/{made['ref']}")["status"] == "started"
            said = apps.rows(
                "referrals", "SELECT sequence FROM events WHERE subject = %s ORDER BY 1", first["beneficiary"]
            )
            assert [row.sequence for row in said] == list(range(1, len(said) + 1))
    assert seen == {200: 4 * ROUNDS, 201: 2 * ROUNDS}


def test_of_many_answers_at_once_one_counts_and_the_others_are_told(apps: Apps) -> None:
    home, receiver = apps.network["cpas-hotton"], apps.network["le-trusquin"]
    receiver.token()
    path = f"/referrals/{home.refer('le-trusquin')['ref']}"
    answers = [("accept", {}), ("decline", {"reason": "no_place", "declined_by": "provider"})] * 8
    with ThreadPoolExecutor(len(answers)) as pool:
        got = list(pool.map(lambda each: receiver.call("POST", f"{path}/{each[0]}", each[1]), answers))
    assert Counter(answer.status_code for answer in got) == {200: 1, 409: len(answers) - 1}
    assert {answer.json()["code"] for answer in got if answer.status_code == 409} == {"transition_not_allowed"}
    assert receiver.done("GET", path)["version"] == 2


def test_of_two_who_read_the_same_version_the_second_is_told(apps: Apps) -> None:
    home, receiver = apps.network["cpas-hotton"], apps.network["le-trusquin"]
    made = home.refer("le-trusquin")
    path = f"/referrals/{made['ref']}"
    read = receiver.call("GET", path).headers["etag"]
    assert receiver.call("POST", f"{path}/receive", {}, headers={"If-Match": read}).status_code == 200
    refused(receiver.call("POST", f"{path}/accept", {}, headers={"If-Match": read}), 412, "stale")
    assert receiver.done("GET", path)["status"] == "received"
    profile = f"/beneficiaries/{made['beneficiary']}/profile"
    bands = home.call("GET", profile.removesuffix("/profile")).headers["etag"]
    ages = ["18-24", "30-44", "45-54", "55+"]
    assert PROFILE["age_band"] not in ages

    def change(age: str) -> int:
        return home.call(
            "PUT", profile, {"profile": PROFILE | {"age_band": age}}, headers={"If-Match": bands}
        ).status_code

    with ThreadPoolExecutor(8) as pool:
        changes = list(pool.map(change, ages * 2))
    assert Counter(changes) == {200: 1, 412: 7}
    for wrong in ('"0"', '"nonsense"', "1", 'W/"1"'):
        refused(home.call("PUT", profile, {"profile": PROFILE}, headers={"If-Match": wrong}), 412, "stale")
    assert home.call("PUT", profile, {"profile": PROFILE}, headers={"If-Match": "*"}).status_code == 200


@contextmanager
def held(apps: Apps, person: str) -> Iterator[None]:
    """Somebody else's transaction holds a person."""
    with transaction(apps.engines["referrals"]) as conn:
        conn.execute(select(beneficiaries).where(beneficiaries.c.ref == person).with_for_update())
        yield


def known(person: str) -> dict[str, Any]:
    """Another referral of a person the caller has referred."""
    return sheet(person=None, beneficiary=person, again=True)


def test_one_that_hangs_holds_nobody_else(apps: Apps) -> None:
    home = apps.network["cpas-hotton"]
    first, other = (home.refer("le-trusquin")["beneficiary"] for _ in range(2))
    with ThreadPoolExecutor(1) as pool:
        with held(apps, first):
            hanging = pool.submit(home.call, "POST", "/referrals", known(first))
            time.sleep(0.3)
            assert home.call("POST", "/referrals", known(other)).status_code == 201
            assert not hanging.done()
        assert hanging.result().status_code == 201


def test_a_repeat_is_told_at_once_that_its_key_is_at_work(apps: Apps) -> None:
    """It must not queue for the person whom the first one waits for: each such repeat would take a connection."""
    home, key = apps.network["cpas-hotton"], str(uuid.uuid4())
    person = home.refer("le-trusquin")["beneficiary"]
    with ThreadPoolExecutor(1) as pool:
        with held(apps, person):
            hanging = pool.submit(home.call, "POST", "/referrals", known(person), key=key)
            time.sleep(0.3)
            refused(home.call("POST", "/referrals", known(person), key=key), 409, "still_running")
            assert not hanging.done()
        assert hanging.result().status_code == 201
