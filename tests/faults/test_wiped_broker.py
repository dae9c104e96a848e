"""A broker that was wiped is said, and the hub starts all the same; the command that is named heals it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jalons.cli.up import troubles
from jalons.embedded.folder import free_run
from jalons.embedded.stack import SERVICES, Stack
from tests.support.network import Network, eventually

pytestmark = pytest.mark.timeout(240)


def test_a_wiped_broker_is_said_with_the_command_and_the_hub_starts_all_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JALONS_RECONCILE_SECONDS", "1")
    data, ports = folder / "wiped", free_run(20_201, 3)[0]
    with Stack(data, port_base=ports) as hub:
        network = Network(hub.info).load()
        refers = network["cpas-hotton"].refer("le-trusquin")
        eventually(lambda: network.pathway("cpas-hotton", refers["beneficiary"]))
        assert said(hub) == []
    shutil.rmtree(data / "kafka")
    with Stack(data, port_base=ports) as hub:
        lost = eventually(lambda: [each for each in said(hub) if "jalons republish referrals --data" in each])
        assert "jalons.pathways" in lost[0]
        doctor = jalons("doctor", data)
        assert doctor.returncode == 1
        assert "jalons republish referrals" in doctor.stdout
        for service in SERVICES:
            again = jalons("republish", data, service)
            assert again.returncode == 0, again.stdout + again.stderr
        eventually(lambda: said(hub) == [], 30)


def said(hub: Stack) -> list[str]:
    return [each for service in SERVICES for each in troubles(hub.info[service], service, hub.folder.path)]


def jalons(command: str, data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jalons", command, *arguments, "--data", str(data)],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        env=os.environ | {"COLUMNS": "300"},
    )
