"""An import that is killed repeatedly creates exactly one referral per row."""

from __future__ import annotations

import pytest

from jalons.embedded.stack import Stack
from tests.journeys.test_import import posted, table
from tests.support.accidents import kill
from tests.support.network import Network, eventually

pytestmark = pytest.mark.timeout(900)


def test_an_import_that_is_killed_and_repeated_creates_each_referral_once(
    victim: Stack, partners: Network, pytestconfig: pytest.Config
) -> None:
    rows = 10_000 if pytestconfig.getoption("--storm-seconds") > 60 else 400
    content = table(rows).encode()
    hotton = partners["cpas-hotton"]
    before = _referrals(partners)
    import_id = posted(partners, content).json()["import_id"]
    for share in (0.2, 0.6):
        eventually(lambda part=share: _done(partners, import_id) >= rows * part, 600)
        kill(victim, "referrals")
    eventually(lambda: _finished(partners, import_id), 600)

    again = posted(partners, content).json()["import_id"]
    eventually(lambda: _finished(partners, again), 600)

    first, second = (hotton.done("GET", f"/imports/{each}?limit=1") for each in (import_id, again))
    assert (first["done"], first["already_done"], first["refused"]) == (rows, 0, 0)
    assert (second["done"], second["already_done"], second["refused"]) == (0, rows, 0)
    assert _referrals(partners) - before == rows


def _done(partners: Network, import_id: str) -> int:
    seen = partners["cpas-hotton"].call("GET", f"/imports/{import_id}?limit=1")
    return int(seen.json()["done"]) if seen.status_code == 200 else 0


def _finished(partners: Network, import_id: str) -> bool:
    seen = partners["cpas-hotton"].call("GET", f"/imports/{import_id}?limit=1")
    return seen.status_code == 200 and seen.json()["status"] == "finished"


def _referrals(partners: Network) -> int:
    """Number of referrals that the CPAS has sent."""
    count, cursor = 0, ""
    while True:
        page = partners["cpas-hotton"].done("GET", f"/referrals?box=sent&limit=500{cursor}")
        count += len(page["items"])
        if "next" not in page:
            return count
        cursor = f"&cursor={page['next']}"
