"""Referrals that wait at the same moment are one commit; each keeps its own answer, cause and audit, or its refusal."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from jalons.database import execute, pipelined, transaction
from services.referrals.acts import together
from services.referrals.persons import rows as persons
from tests.support.apps import Apps
from tests.support.calls import refused, sheet
from tests.support.network import PROFILE, Partner

Asked = tuple[Partner, dict[str, Any], str]


@pytest.fixture(scope="module")
def erezee(apps: Apps) -> Partner:
    """A second CPAS that may refer to Le Trusquin."""
    scope = [{"from": "cpas-erezee", "to": "le-trusquin", "moments": ["formation"]}]
    convention = apps.network.convention() | {"parties": ["cpas-erezee", "le-trusquin"], "scope": scope}
    apps.network.operator.done("POST", "/conventions", convention)
    return apps.network["cpas-erezee"]


@contextmanager
def held(apps: Apps, person: str) -> Iterator[None]:
    """Somebody else's transaction holds a person."""
    with transaction(apps.engines["referrals"]) as conn:
        execute(conn, "SELECT 1 FROM beneficiaries WHERE ref = %s FOR UPDATE", (person,))
        yield


def at_once(apps: Apps, monkeypatch: pytest.MonkeyPatch, asked: Sequence[Asked]) -> list[httpx.Response]:
    """Answers to calls that all come while one commit hangs, and so wait together."""
    monkeypatch.setattr(together, "PATIENCE_SECONDS", 60)
    home = apps.network["cpas-hotton"]
    first = home.refer("le-trusquin")["beneficiary"]
    for caller, _, _ in asked:
        caller.token()
    with ThreadPoolExecutor(len(asked) + 1) as pool:
        with held(apps, first):
            hanging = pool.submit(home.call, "POST", "/referrals", known(first))
            time.sleep(0.3)
            answers = [pool.submit(caller.call, "POST", "/referrals", body, key=key) for caller, body, key in asked]
            time.sleep(0.5)
            assert not hanging.done() and not any(each.done() for each in answers)
        assert hanging.result().status_code == 201
        return [each.result() for each in answers]


def known(person: str, **more: Any) -> dict[str, Any]:
    """A referral of a person the caller has registered."""
    return sheet(person=None, beneficiary=person, **more)


def new_key() -> str:
    """A key of its own."""
    return str(uuid.uuid4())


def commits(apps: Apps, answers: Sequence[httpx.Response]) -> int:
    """How many transactions made these referrals."""
    refs = [answer.json()["ref"] for answer in answers if answer.status_code == 201]
    return apps.rows(
        "referrals", "SELECT count(DISTINCT xmin::text) AS n FROM referrals WHERE reference = ANY(%s)", refs
    )[0].n


def test_those_that_wait_are_one_commit_and_each_is_its_own_call(
    apps: Apps, erezee: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    hotton = apps.network["cpas-hotton"]
    there, dossier = hotton.refer("le-trusquin")["beneficiary"], f"D-{uuid.uuid4()}"
    new = {"profile": PROFILE, "local_ref": dossier}
    asked: list[Asked] = [
        (hotton, known(there), new_key()),
        (hotton, sheet(person=new), new_key()),
        (erezee, sheet(person=new), new_key()),
        (hotton, sheet(person=new), new_key()),
        (erezee, sheet(), new_key()),
    ]
    answers = at_once(apps, monkeypatch, asked)
    assert [answer.status_code for answer in answers] == [201] * len(asked), [each.text for each in answers]
    assert commits(apps, answers) == 1
    person = [answer.json()["beneficiary"] for answer in answers]
    assert person[0] == there
    assert person[1] == person[3] != person[2], "a dossier number is a partner's own"
    for (caller, body, key), answer in zip(asked, answers, strict=True):
        made, call = answer.json(), answer.headers["jalons-call"]
        assert caller.call("POST", "/referrals", body, key=key).json() == made, "and so is a repeat"
        lines = apps.rows("referrals", "SELECT partner, client, noun FROM audit WHERE call = %s", uuid.UUID(call))
        assert {(line.partner, line.client) for line in lines} == {(caller.slug, caller.client_id)}
        assert "referral" in {line.noun for line in lines}
    for ref in set(person):
        numbers = apps.rows("referrals", "SELECT sequence FROM events WHERE subject = %s ORDER BY 1", ref)
        assert [row.sequence for row in numbers] == list(range(1, len(numbers) + 1))


def test_one_that_is_refused_is_refused_alone(apps: Apps, erezee: Partner, monkeypatch: pytest.MonkeyPatch) -> None:
    hotton = apps.network["cpas-hotton"]
    there = hotton.refer("le-trusquin")["beneficiary"]
    done_before = new_key()
    made = hotton.done("POST", "/referrals", known(there), key=done_before)
    asked: list[Asked] = [
        (hotton, known(there), new_key()),
        (erezee, known(there), new_key()),
        (hotton, known(str(uuid.uuid4())), new_key()),
        (hotton, known(there, recipient="no-such-partner"), new_key()),
        (hotton, known(there), done_before),
        (hotton, known(there, moment="projet"), done_before),
    ]
    good, foreign, unknown, nobody, repeat, reused = at_once(apps, monkeypatch, asked)
    assert good.status_code == 201
    refused(foreign, 404, "not_found")
    refused(unknown, 404, "not_found")
    refused(nobody, 422, "unknown_partner")
    assert repeat.status_code == 201 and repeat.json() == made
    refused(reused, 422, "idempotency_key_reused")


def test_one_that_is_refused_leaves_the_others_together(apps: Apps, monkeypatch: pytest.MonkeyPatch) -> None:
    hotton, before = apps.network["cpas-hotton"], new_key()
    there = hotton.refer("le-trusquin")["beneficiary"]
    made = hotton.done("POST", "/referrals", known(there), key=before)
    good: list[Asked] = [(hotton, known(there), new_key()) for _ in range(4)]
    for wrong, status in ((hotton, known(str(uuid.uuid4())), new_key()), 404), ((hotton, known(there), before), 201):
        answers = at_once(apps, monkeypatch, [*good[:2], wrong, *good[2:]])
        good = [(caller, body, new_key()) for caller, body, _ in good]
        apart = answers.pop(2)
        assert apart.status_code == status and (status != 201 or apart.json() == made)
        assert [each.status_code for each in answers] == [201] * 4
        assert commits(apps, answers) == 1


def test_several_that_are_refused_are_each_refused(apps: Apps, monkeypatch: pytest.MonkeyPatch) -> None:
    hotton = apps.network["cpas-hotton"]
    there = hotton.refer("le-trusquin")["beneficiary"]
    asked: list[Asked] = [(hotton, known(there if n % 2 else str(uuid.uuid4())), new_key()) for n in range(6)]
    answers = at_once(apps, monkeypatch, asked)
    assert [each.status_code for each in answers] == [404, 201] * 3


def test_one_key_is_never_twice_in_one_commit(apps: Apps, monkeypatch: pytest.MonkeyPatch) -> None:
    hotton, key, body = apps.network["cpas-hotton"], new_key(), sheet()
    answers = at_once(apps, monkeypatch, [(hotton, body, key)] * 6)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["ref"] for answer in answers}) == 1


def test_those_who_come_back_at_once_are_waited_for(apps: Apps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "RETURN_SECONDS", 0.5)
    home, callers, times = apps.network["cpas-hotton"], 4, 10
    person = home.refer("le-trusquin")["beneficiary"]

    def call_and_call_again(_: int) -> list[httpx.Response]:
        return [home.call("POST", "/referrals", known(person)) for _ in range(times)]

    with ThreadPoolExecutor(callers) as pool:
        answers = [answer for made in pool.map(call_and_call_again, range(callers)) for answer in made]
    assert {answer.status_code for answer in answers} == {201}
    assert commits(apps, answers) < 1.5 * times, "sent as they come, one goes alone and the others after it: 2 * times"


def test_who_does_not_come_back_is_waited_for_once(apps: Apps, monkeypatch: pytest.MonkeyPatch) -> None:
    home = apps.network["cpas-hotton"]
    person = home.refer("le-trusquin")["beneficiary"]
    at_once(apps, monkeypatch, [(home, known(person), new_key()) for _ in range(3)])
    for seconds in (0.2, 3600):
        monkeypatch.setattr(together, "RETURN_SECONDS", seconds)
        assert home.call("POST", "/referrals", known(person)).status_code == 201


def test_one_that_hangs_holds_nobody_else(apps: Apps) -> None:
    home = apps.network["cpas-hotton"]
    first, other = (home.refer("le-trusquin")["beneficiary"] for _ in range(2))
    with ThreadPoolExecutor(1) as pool:
        with held(apps, first):
            hanging: Future[httpx.Response] = pool.submit(home.call, "POST", "/referrals", known(first))
            time.sleep(0.3)
            assert home.call("POST", "/referrals", known(other)).status_code == 201
            assert not hanging.done()
        assert hanging.result().status_code == 201


def test_a_repeat_is_told_at_once_that_its_key_is_at_work(apps: Apps) -> None:
    """It must not queue for the person whom the first one waits for: each such repeat would take a connection."""
    home, key = apps.network["cpas-hotton"], new_key()
    person = home.refer("le-trusquin")["beneficiary"]
    with ThreadPoolExecutor(1) as pool:
        with held(apps, person):
            hanging = pool.submit(home.call, "POST", "/referrals", known(person), key=key)
            time.sleep(0.3)
            refused(home.call("POST", "/referrals", known(person), key=key), 409, "still_running")
            assert not hanging.done()
        assert hanging.result().status_code == 201


def test_who_was_registered_while_others_were_locked_is_not_judged_by_what_was_read_without_a_lock(apps: Apps) -> None:
    """All is asked at once: the second look may see somebody whom the first could not lock."""
    home, engine = apps.network["cpas-hotton"], apps.engines["referrals"]
    there = home.refer("le-trusquin")["beneficiary"]
    named: list[tuple[str, Any, str | None]] = [
        ("cpas-hotton", uuid.UUID(there), None),
        ("cpas-hotton", None, "D-while"),
    ]

    def look() -> tuple[set[str], set[str]]:
        with transaction(engine) as conn:
            with pipelined(conn):
                asked = persons.of_homes(conn, named)
            found, standing = asked()
            return {str(person.ref) for person in found}, {str(ref) for ref in standing}

    with ThreadPoolExecutor(1) as pool:
        with held(apps, there):
            looking = pool.submit(look)
            time.sleep(0.5)
            assert not looking.done()
            new = home.done("POST", "/beneficiaries", {"profile": PROFILE, "local_ref": "D-while"})["beneficiary"]
        assert looking.result() == ({there}, {there})
    assert look() == ({there, new}, {there, new})
