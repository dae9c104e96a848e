"""A row that fails for a reason nobody foresaw ends neither its import nor those after it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from services.referrals.imports import commands as imports
from tests.journeys.test_import import posted, table
from tests.support.apps import Apps
from tests.support.network import Network, eventually
from tests.support.parts import working


@pytest.fixture
def network(apps: Apps) -> Iterator[Network]:
    """The network, with imports worked off."""
    with working(apps.services["referrals"].parts["imports"]):
        yield apps.network


def finished(network: Network, answer: Any) -> dict[str, Any]:
    path = f"/imports/{answer.json()['import_id']}?limit=500"
    done: dict[str, Any] = eventually(
        lambda: seen if (seen := network["cpas-hotton"].done("GET", path))["status"] == "finished" else None
    )
    return done


def test_a_row_that_fails_unforeseen_is_refused_and_the_others_are_done(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = imports.send_referral

    def fail(work: Any, body: Any) -> Any:
        if body["person"]["local_ref"].endswith("-1"):
            raise KeyError("Marie")
        return send(work, body)

    monkeypatch.setattr(imports, "send_referral", fail)
    first = finished(network, posted(network, table(3).encode()))
    assert (first["done"], first["refused"]) == (2, 1)
    refused = next(row for row in first["items"] if row["outcome"] == "refused")
    assert (refused["row"], refused["code"]) == (3, "unexpected")
    assert refused["cause"] and refused["cure"]
    assert "Marie" not in str(first), "an error's text may hold data of a person"
    assert finished(network, posted(network, table(1).encode()))["done"] == 1
