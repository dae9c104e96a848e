"""A service is ready while it can answer its own calls; what else does not work is named, also by `jalons doctor`."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from jalons.cli.doctor import Finding, health
from jalons.cli.hub import Hub
from jalons.messaging.deliver import Deliver, Waiting
from jalons.messaging.items import Record
from jalons.messaging.outcomes import Done, Retry
from jalons.process import wiring
from jalons.process.settings import Settings
from jalons.web.application import application
from services.observation.service import build
from tests.support.apps import SECRET, Apps
from tests.support.network import eventually
from tests.support.parts import working

DATABASE = {"database": "PostgreSQL does not answer"}
RELAY = {"relay": "it has failed for 75 s: NoBrokersAvailable"}


def answers(missing: dict[str, str], degraded: dict[str, str]) -> httpx.Response:
    verifier: Any = None
    app = application("referrals", "test", verifier, lambda: missing, None, degraded=lambda: degraded)
    return TestClient(app).get("/health/ready")  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("missing", "degraded", "code", "status"),
    [({}, {}, 200, "ready"), ({}, RELAY, 200, "degraded"), (DATABASE, RELAY, 503, "waiting")],
)
def test_only_what_keeps_it_from_answering_makes_a_service_unready(
    missing: dict[str, str], degraded: dict[str, str], code: int, status: str
) -> None:
    answer = answers(missing, degraded)
    assert answer.status_code == code
    assert answer.json() == {"status": status, "waits_for": missing, "degraded": degraded}


def told(missing: dict[str, str], degraded: dict[str, str]) -> list[Finding]:
    """What the doctor says of a service that answers so."""
    answer = answers(missing, degraded)
    reply = httpx.Response(answer.status_code, json=answer.json())
    with httpx.Client(transport=httpx.MockTransport(lambda _request: reply)) as http:
        return list(health(http, Hub({"referrals": "http://referrals"}, "operator", ""), "referrals", None))


def test_the_doctor_names_what_does_not_work_in_a_service_that_answers() -> None:
    assert [finding.verdict for finding in told({}, {})] == ["ok"]
    answering, relay = told({}, RELAY)
    assert answering.verdict == "ok"
    assert relay.verdict == "not ready"
    assert "NoBrokersAvailable" in relay.said and "Kafka" in relay.said
    assert [finding.verdict for finding in told(DATABASE, {})] == ["not ready"]


def test_a_consumer_that_has_not_joined_degrades_its_service_and_leaves_it_ready(
    apps: Apps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring, "JOIN_SECONDS", 0)
    url = apps.engines["observation"].url.render_as_string(hide_password=False)
    settings = Settings(database_url=url, kafka="127.0.0.1:1", secret_key=SECRET, hub_client_secret="none")
    service = build(settings)
    with working(service.parts["monitor"]):
        ask = TestClient(service.app)
        eventually(lambda: "broker" in ask.get("/health/ready").json()["degraded"])
        assert ask.get("/health/ready").status_code == 200
    metrics = ask.get("/metrics").text
    assert 'jalons_degraded{part="broker",service="observation"} 1.0' in metrics


def test_a_batch_that_waits_five_minutes_degrades_its_service_says_which_and_clears(
    apps: Apps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jalons.process.parts.CHECK_SECONDS", 0.05)
    url = apps.engines["observation"].url.render_as_string(hide_password=False)
    service = build(Settings(database_url=url, kafka="127.0.0.1:1", secret_key=SECRET, hub_client_secret="none"))
    assert service.consumer is not None
    deliver: Any = service.consumer._deliver
    ask = TestClient(service.app)

    def degraded() -> dict[str, str]:
        return dict(ask.get("/health/ready").json()["degraded"])

    with working(service.parts["monitor"]):
        deliver.waiting = Waiting("the keys could not be resolved", time.monotonic(), "jalons.pathways/3@1204")
        time.sleep(0.2)
        assert "batch" not in degraded()
        deliver.waiting = replace(deliver.waiting, since=time.monotonic() - 300)
        eventually(lambda: "jalons.pathways/3@1204" in degraded().get("batch", ""))
        deliver.waiting = None
        eventually(lambda: "batch" not in degraded())


def test_why_a_batch_waits_is_known_until_it_is_delivered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever else delivers meanwhile does not hide it."""
    nothing: Any = None
    deliver = Deliver("tests", nothing, nothing, nothing, nothing, {})
    away = threading.Event()
    away.set()

    def attempt(items: Any) -> Done | Retry:
        return Retry(0.01, "the keys could not be resolved") if items and away.is_set() else Done(0)

    monkeypatch.setattr(deliver, "attempt", attempt)
    stuck = threading.Thread(target=deliver, args=([Record("topic", 0, 0, None, None)],))
    stuck.start()
    eventually(lambda: deliver.waiting)
    assert deliver.attempt([]) == Done(0)
    assert deliver.waiting is not None
    assert deliver.waiting.why == "the keys could not be resolved"
    away.clear()
    stuck.join(10)
    assert deliver.waiting is None
