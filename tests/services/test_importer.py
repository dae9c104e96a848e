"""Each row of an import is worked on once: neither a refused row nor an unforeseen error makes others start again."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from sqlalchemy import create_engine

from jalons.clock import new_id
from jalons.database import engine, transaction
from jalons.embedded.stack import Servers
from jalons.process.migrate import upgrade
from services.referrals.imports import http as imports
from services.referrals.imports import rows
from services.referrals.imports.commands import Importer, key_of, pending
from services.referrals.imports.rows import Import
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


def row(local_ref: str, recipient: str = "le-trusquin") -> bytes:
    sense = {"moment": "formation", "reason": "training", "goal": "qualify", "chosen_by": "together"}
    return json.dumps(
        {
            "person": {"local_ref": local_ref, "profile": PROFILE},
            "agreement": {"channel": "paper"},
            "recipient": recipient,
            "contact": "receiver_calls_referrer",
            **sense,
        }
    ).encode()


def given(desk: Desk, *bodies: bytes) -> Import:
    """An import of these rows, from row 2 on."""
    new = Import(new_id(), "cpas-hotton", "hotton-1", False, desk.at, None)
    with transaction(desk.engine) as conn:
        rows.add(conn, new, [pending(KEY, new, number, body) for number, body in enumerate(bodies, 2)], [])
    return new


def outcomes(desk: Desk, of: Import) -> dict[int, str]:
    """Row → its outcome, or the code it was refused with."""
    with transaction(desk.engine) as conn:
        found = rows.outcomes(conn, of.id, None, 0, 100)
    return {each["row"]: each.get("code", each["outcome"]) for each in found}


def test_each_row_is_worked_on_once_whatever_becomes_of_the_others(desk: Desk) -> None:
    tried: Counter[str] = Counter()

    def form(body: bytes) -> Mapping[str, Any]:
        local_ref = json.loads(body)["person"]["local_ref"]
        tried[local_ref] += 1
        if local_ref == "C":
            raise ZeroDivisionError(local_ref)
        return imports.form(body)

    importer = Importer(desk.ground, desk.keys, KEY, form, lambda: desk.at)
    first = given(desk, row("A"), row("B", "forem-marche"), row("C"), row("D"))
    while importer.step():
        pass
    assert outcomes(desk, first) == {2: "done", 3: "no_convention", 4: "unexpected", 5: "done"}
    assert tried == {"A": 1, "B": 1, "C": 1, "D": 1}

    again = given(desk, row("D"), row("A"), row("E"))
    while importer.step():
        pass
    assert outcomes(desk, again) == {2: "already_done", 3: "already_done", 4: "done"}
    assert tried["A"] == tried["D"] == 1


def test_a_step_is_one_row_so_that_a_kill_loses_none_that_is_done(desk: Desk) -> None:
    importer = Importer(desk.ground, desk.keys, KEY, imports.form, lambda: desk.at)
    new = given(desk, *(row(name) for name in "ABC"))
    assert importer.step()
    assert outcomes(desk, new) == {2: "done"}
    other = Importer(desk.ground, desk.keys, KEY, imports.form, lambda: desk.at)
    while other.step():
        pass
    assert outcomes(desk, new) == {2: "done", 3: "done", 4: "done"}
    with transaction(desk.engine) as conn:
        shown = rows.shown(conn, new.id, "cpas-hotton")
    assert shown is not None and (shown["rows"], shown["done"]) == (3, 3) and shown["finished"] is not None
