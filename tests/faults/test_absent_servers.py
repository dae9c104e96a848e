"""A service whose servers are away says so, waits, and goes to work when they come; it can always be ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from jalons.embedded.folder import free_run
from jalons.embedded.stack import Servers
from jalons.process.migrate import migrate
from jalons.process.settings import Settings
from tests.support.network import eventually

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def settings(folder: Path) -> Settings:
    """Settings for servers that are migrated and then stopped; their ports are kept with their folder."""
    with Servers(folder / "absent") as servers:
        first, second, third = free_run(20_101, 3)
        made = Settings(
            database_url=servers.database_url,
            **servers.kafka_settings(),
            secret_key="a secret key of at least thirty-two characters",
            hub_client_secret="hub",
            operator_client_secret="operator",
            referrals_port=first,
            observation_port=second,
            notifications_port=third,
            referrals_url=f"http://127.0.0.1:{first}",
            observation_url=f"http://127.0.0.1:{second}",
            notifications_url=f"http://127.0.0.1:{third}",
        )
        migrate(made)
    return made


def _environment(settings: Settings) -> dict[str, str]:
    found = {}
    for name in Settings.model_fields:
        value = getattr(settings, name)
        if value is not None:
            text = value.get_secret_value() if hasattr(value, "get_secret_value") else str(value)
            found[f"JALONS_{name.upper()}"] = text
    return os.environ | found


@pytest.fixture
def services(settings: Settings) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """The three services as processes, started while nothing else is there."""
    started = {
        name: subprocess.Popen([sys.executable, "-m", "jalons", "serve", name], env=_environment(settings))
        for name in ("referrals", "observation", "notifications")
    }
    yield started
    for process in started.values():
        process.kill()
        process.wait()


def _status(settings: Settings, name: str, path: str) -> int:
    try:
        return httpx.get(f"{settings.url(name)}{path}", timeout=20).status_code  # type: ignore[arg-type]
    except httpx.HTTPError:
        return 0


def _health(settings: Settings, name: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = httpx.get(f"{settings.url(name)}/health/ready", timeout=20).json()  # type: ignore[arg-type]
    return found


def test_services_start_before_their_servers_and_end_while_the_database_hangs(
    folder: Path, settings: Settings, services: dict[str, subprocess.Popen[bytes]]
) -> None:
    for name in services:
        eventually(lambda name=name: _status(settings, name, "/health/live") == 200, 40)
        assert _status(settings, name, "/health/ready") == 503
        assert set(_health(settings, name)["waits_for"]) == {"database"}
    for name in ("observation", "notifications"):
        eventually(lambda name=name: "broker" in _health(settings, name)["degraded"], 60)

    with Servers(folder / "absent") as servers:
        assert (servers.database_url, servers.kafka_address) == (settings.database_url, settings.kafka)
        for name in services:
            eventually(lambda name=name: _status(settings, name, "/health/ready") == 200, 60)
        assert all(process.poll() is None for process in services.values()), "none had to be started again"

        postgres = psutil.Process(servers.pid_of("postgres"))
        hanging = [postgres, *postgres.children(recursive=True)]
        for process in hanging:
            process.suspend()
        try:
            for process in services.values():
                process.send_signal(signal.SIGTERM)
            for process in services.values():
                process.wait(15)
        finally:
            for process in hanging:
                process.resume()
