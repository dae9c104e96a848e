"""Each row of an import is worked on once: neither a refused row nor an unforeseen error makes others start again."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import create_engine, select

from jalons.clock import random_id
from jalons.database import engine, transaction
from jalons.embedded.stack import Servers
from jalons.process.migrate import upgrade
from services.referrals.erasure.commands import erase
from services.referrals.imports import checking, rows
from services.referrals.imports.commands import Importer, key_of, pending
from services.referrals.imports.rows import Import
from services.referrals.imports.sheet import Row
from services.referrals.tables import beneficiaries, import_rows
from tests.support.falling_due import SECRET, Desk, brussels
from tests.support.network import PROFILE

KEY = key_of(SECRET)


@pytest.fixture
def desk(servers: Servers) -> Iterator[Desk]:
    schema = f"i_{uuid.uuid4().hex[:12]}"
    making = create_engine(servers.database_url)
    with making.connect() as conn:
        upgrade(conn, "referrals", schema)
    making.dispose()
    pool = engine(servers.database_url, schema, pool=4)
    yield Desk(pool, brussels("2026-11-23 10:00")).load()
    pool.dispose()


def row(local_ref: str, recipient: str = "le-trusquin", **more: str) -> dict[str, str]:
    """The texts of a row."""
    profile = {**PROFILE, "obstacles": "|".join(PROFILE["obstacles"])}
    sense = {"moment": "formation", "reason": "training", "goal": "qualify", "chosen_by": "together"}
    how = {"contact": "receiver_calls_referrer", "channel": "papier", "recipient": recipient}
    return {"local_ref": local_ref, **profile, **sense, **how, **more}  # type: ignore[dict-item]


def given(desk: Desk, *texts: dict[str, str]) -> Import:
    """An import of these rows, from row 2 on."""
    new = Import(random_id(), "cpas-hotton", "hotton-1", False, desk.at, None)
    with transaction(desk.engine) as conn:
        rows.add(conn, new, [pending(KEY, desk.ground.alias, new, Row(at, each)) for at, each in enumerate(texts, 2)])
    return new


def worked(desk: Desk, *texts: dict[str, str]) -> dict[int, dict[str, Any]]:
    """The outcome of each of these rows, once all are worked off."""
    new = given(desk, *texts)
    importer = Importer(desk.ground, desk.keys, KEY, lambda: desk.at)
    while importer.step():
        pass
    with transaction(desk.engine) as conn:
        return {each["row"]: each for each in rows.outcomes(conn, new.id, None, 0, 100)}


def outcomes(desk: Desk, of: Import) -> dict[int, str]:
    """Row → its outcome, or the code it was refused with."""
    with transaction(desk.engine) as conn:
        found = rows.outcomes(conn, of.id, None, 0, 100)
    return {each["row"]: each.get("code", each["outcome"]) for each in found}


def test_each_row_is_worked_on_once_whatever_becomes_of_the_others(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: Counter[str] = Counter()
    check = checking.checked

    def counted(row: Row, words: Any) -> Any:
        tried[row.texts["local_ref"]] += 1
        if row.texts["local_ref"] == "C-1":
            raise ZeroDivisionError
        return check(row, words)

    monkeypatch.setattr(checking, "checked", counted)
    importer = Importer(desk.ground, desk.keys, KEY, lambda: desk.at)
    first = given(desk, row("A-1"), row("B-1", "forem-marche"), row("C-1"), row("D-1"))
    while importer.step():
        pass
    assert outcomes(desk, first) == {2: "done", 3: "no_convention", 4: "unexpected", 5: "done"}
    assert tried == {"A-1": 1, "B-1": 1, "C-1": 1, "D-1": 1}

    again = given(desk, row("D-1"), row("A-1"), row("E-1"))
    while importer.step():
        pass
    assert outcomes(desk, again) == {2: "already_done", 3: "already_done", 4: "done"}


def test_a_step_is_one_row_so_that_a_kill_loses_none_that_is_done(desk: Desk) -> None:
    importer = Importer(desk.ground, desk.keys, KEY, lambda: desk.at)
    new = given(desk, *(row(f"{name}-1") for name in "ABC"))
    assert importer.step()
    assert outcomes(desk, new) == {2: "done"}
    other = Importer(desk.ground, desk.keys, KEY, lambda: desk.at)
    while other.step():
        pass
    assert outcomes(desk, new) == {2: "done", 3: "done", 4: "done"}
    with transaction(desk.engine) as conn:
        shown = rows.shown(conn, new.id, "cpas-hotton")
    assert shown is not None and (shown["rows"], shown["done"]) == (3, 3) and shown["finished"] is not None


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({}, None),
        ({"recipient": "Le Trusquin", "channel": "Sur papier", "commune_nis": "Hotton", "sex": "femme"}, None),
        ({"goal": "discover"}, ["goal"]),
        ({"reason": "langue", "contact": "person_comes"}, ["contact", "reason"]),
        ({"age_band": "30-44"}, ["age_band"]),
        ({"sex": "M", "obstacles": "mobilite"}, ["sex", "obstacles"]),
        ({"attributes": "age_band"}, ["attributes"]),
        ({"expires_on": "31/12/2027"}, ["expires_on"]),
        ({"happened_on": "16/11/26"}, ["happened_on"]),
    ],
)
def test_a_row_given_again_is_compared_with_its_referral(
    desk: Desk, change: dict[str, str], differs: list[str] | None
) -> None:
    sent = worked(desk, row("A-1", happened_on="20/11/2026"))[2]["ref"]
    again = worked(desk, row("A-1", happened_on="20/11/2026") | change)[2]
    assert again["ref"] == sent
    assert (again["outcome"], again.get("code"), again.get("faults")) == (
        ("refused", "differs", differs) if differs else ("already_done", None, None)
    )
    assert worked(desk, row("A-1"))[2]["outcome"] == "already_done", "undated, while it is open; nothing was changed"


def test_a_known_persons_profile_is_not_changed_by_a_row_for_another_referral(desk: Desk) -> None:
    worked(desk, row("A-1"))
    other = worked(desk, row("A-1", moment="projet", sex="M", age_band="18-24"))[2]
    assert (other["code"], other["faults"]) == ("profile_differs", ["age_band", "sex"])
    assert worked(desk, row("A-1"))[2]["outcome"] == "already_done"


@pytest.mark.parametrize(("known", "lost"), [("00118", "118"), ("118", "00118"), ("0118", "118")])
def test_a_dossier_number_that_lost_its_zeros_makes_no_second_person(desk: Desk, known: str, lost: str) -> None:
    worked(desk, row(known))
    [fault] = worked(desk, row(lost))[2]["faults"]
    assert fault == ["leading_zeros", "local_ref", {"other": known}]


def test_all_that_is_wrong_in_a_row_is_said_at_once(desk: Desk) -> None:
    wrong = row(
        "A-1", sex="?", goal="devenir riche", commune_nis="Paris", happened_on="31/02/2026", recipient="Forem X"
    )
    del wrong["contact"]
    found = worked(desk, wrong)[2]
    assert (found["outcome"], found["code"]) == ("refused", "invalid")
    assert {(code, field) for code, field, _ in found["faults"]} == {
        *(("unknown_value", "sex"), ("unknown_value", "goal"), ("no_commune", "commune_nis")),
        *(("no_date", "happened_on"), ("unknown_name", "recipient"), ("missing", "contact")),
    }
    assert "riche" not in str(found)


def test_erasure_forgets_import_rows_and_the_table_given_again_registers_nobody(desk: Desk) -> None:
    sent = worked(desk, row("A-1"), row("B-1"))
    worked(desk, row("A-1", goal="discover"))
    with transaction(desk.engine) as conn:
        ref = conn.execute(select(beneficiaries.c.ref).where(beneficiaries.c.local_ref == "A-1")).scalar_one()
    desk.do("cpas-hotton", lambda work: erase(work, ref))
    with transaction(desk.engine) as conn:
        kept = conn.execute(select(import_rows.c.reference)).scalars().all()
    assert kept == [sent[3]["ref"]]
    again = worked(desk, row("A-1"), row("B-1"))
    assert (again[2]["outcome"], again[2]["code"], again[2].get("ref")) == ("refused", "person_erased", None)
    assert again[3]["outcome"] == "already_done"
    with transaction(desk.engine) as conn:
        assert conn.execute(select(beneficiaries.c.local_ref)).scalars().all() == ["B-1"]
