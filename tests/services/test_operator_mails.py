"""The operator's mails: what does not work, by name, once; and nothing about anybody."""

from __future__ import annotations

import importlib
import tomllib
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import pytest

from jalons.clock import now
from jalons.process.settings import SERVICES, Settings
from services.notifications.deliveries.outcome import Deferred, Delivered
from services.notifications.emails.mailer import MemoryMailer
from services.notifications.operator.health import Health
from services.notifications.operator.mails import OperatorMails, kind_of
from services.notifications.operator.part import OperatorWatch
from tests.support.apps import SECRET, Apps


class Hub:
    """What the services say of themselves; a service without an entry does not answer."""

    def __init__(self) -> None:
        self.ready: dict[str, Any] = {name: {"waits_for": {}, "degraded": {}} for name in SERVICES}
        self.metrics = "jalons_backup_made_timestamp_seconds 1795824000.0\n"

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/metrics":
            return httpx.Response(200, text=self.metrics)
        if request.url.host not in self.ready:
            raise httpx.ConnectError("refused")
        return httpx.Response(200, json=self.ready[request.url.host])


@pytest.fixture
def hub() -> Hub:
    return Hub()


@pytest.fixture
def mailer() -> MemoryMailer:
    return MemoryMailer()


@pytest.fixture
def watch(apps: Apps, hub: Hub, mailer: MemoryMailer) -> Any:
    """Rounds, one minute apart, from a Tuesday."""
    apps.rows("notifications", "DELETE FROM operator_told RETURNING one")
    health = Health({name: f"http://{name}" for name in SERVICES}, httpx.MockTransport(hub))
    mails = OperatorMails("Intégra Plus", "jalons@example.be", "ops@example.be")
    at = [now() + timedelta(days=(1 - now().weekday()) % 7)]
    part = OperatorWatch(apps.engines["notifications"], health, mails, mailer, now=lambda: at[0])

    def rounds(number: int, by: timedelta = timedelta(minutes=1)) -> None:
        for _ in range(number):
            part.once()
            at[0] += by

    return rounds


def test_one_mail_when_something_does_not_work_and_one_when_all_does(
    watch: Any, hub: Hub, mailer: MemoryMailer
) -> None:
    watch(3)
    del hub.ready["observation"]
    hub.ready["referrals"]["degraded"] = {"relay": "an error that names 85.07.30-033.28"}
    watch(30)
    [mail] = mailer.taken
    assert mail["Subject"] == "Intégra Plus : quelque chose ne fonctionne pas"
    assert "les événements ne partent plus vers Kafka" in mail.get_content()
    assert "Observation (observation) : ne répond pas" in mail.get_content()
    assert "85.07" not in mail.as_string()
    hub.ready = Hub().ready
    watch(30)
    assert [each["Subject"] for each in mailer.taken[1:]] == ["Intégra Plus : tout fonctionne de nouveau"]


def test_the_weekly_mail_names_the_last_backup(watch: Any, mailer: MemoryMailer) -> None:
    watch(1)
    watch(15, timedelta(days=1))
    assert len(mailer.taken) == 2, "one a week"
    assert "sauvegarde date du 28/11/2026" in mailer.taken[0].get_content()


def test_a_mail_that_is_not_taken_is_tried_again(watch: Any, hub: Hub, mailer: MemoryMailer) -> None:
    hub.ready["referrals"]["waits_for"] = {"database": "PostgreSQL does not answer"}
    mailer.answer = lambda _mail: Deferred("mail_server_away")
    watch(5)
    assert mailer.taken == []
    mailer.answer = lambda _mail: Delivered()
    watch(5)
    assert len(mailer.taken) == 1


def test_every_part_of_a_service_has_its_words(tmp_path: Path) -> None:
    settings = Settings(
        database_url="postgresql+psycopg://nobody@127.0.0.1:1/nothing",
        kafka="127.0.0.1:1",
        secret_key=SECRET,
        hub_client_secret="the hub's own secret",
        operator_mail="ops@example.be",
        backup_dir=tmp_path,
        instance="1",
    )
    named = {"service", "database", "consumer"}
    for service in SERVICES:
        named |= importlib.import_module(f"services.{service}.service").build(settings).parts.names
    texts = files("services.notifications.operator").joinpath("texts/fr.toml").read_text("utf-8")
    assert {kind_of(name) for name in named} == set(tomllib.loads(texts)["parts"])
