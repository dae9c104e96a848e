"""A cursor from before a restore is refused in every log: what stands at its place may be another event now."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jalons.database import transaction
from jalons.messaging import generation
from jalons.process.settings import SERVICES
from tests.support.apps import Apps
from tests.support.calls import refused


@pytest.fixture
def before(apps: Apps) -> Iterator[dict[str, str]]:
    """Service → the CPAS's cursor in its log, which was restored since."""
    home = apps.network["cpas-hotton"]
    home.refer("le-trusquin")
    apps.tell()
    cursors = {each: home.done("GET", "/events?limit=5", service=each)["next"] for each in SERVICES}
    for service, cursor in cursors.items():
        assert home.call("GET", f"/events?after={cursor}", service=service).status_code == 200, (
            "as long as it is one log"
        )
        with transaction(apps.engines[service]) as conn:
            generation.renew(conn)
    yield cursors


def test_a_cursor_from_before_a_restore_is_refused_by_every_service(apps: Apps, before: dict[str, str]) -> None:
    home = apps.network["cpas-hotton"]
    for service, cursor in before.items():
        refused(home.call("GET", f"/events?after={cursor}", service=service), 422, "log_restored")
        again = home.done("GET", "/events?limit=5", service=service)
        assert again["next"] != cursor
        assert home.call("GET", f"/events?after={again['next']}", service=service).status_code == 200
