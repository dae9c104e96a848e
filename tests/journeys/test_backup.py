"""A hub is brought back from one file: nothing is lost that it held, and nobody comes back who was erased."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from jalons.cli import app
from jalons.embedded.stack import Stack
from jalons.process.settings import SERVICES
from tests.support.calls import refused
from tests.support.network import PROFILE, Network, eventually

PORTS = 18_000 + os.getpid() % 100 * 10
UNREAD = ("not a zip", "PK\x03\x04")


def jalons(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "data"


def registered(network: Network, dossier: str) -> str:
    body = {"profile": PROFILE, "local_ref": dossier}
    return str(network["cpas-hotton"].done("POST", "/beneficiaries", body)["beneficiary"])


def found(network: Network, dossier: str) -> list[str]:
    items = network["cpas-hotton"].done("GET", f"/beneficiaries?local_ref={dossier}")["items"]
    return [each["beneficiary"] for each in items]


def unread_since(network: Network) -> dict[str, str]:
    """Service → the CPAS's cursor at the end of its log."""
    home = network["cpas-hotton"]
    return {each: home.done("GET", "/events?limit=1000", service=each)["next"] for each in SERVICES}


def test_a_hub_is_restored_and_whoever_was_erased_stays_erased(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "monday.jalons"
    with Stack(data, port_base=PORTS) as stack:
        network = Network(stack.info).load()
        kept, erased = registered(network, "H-1"), registered(network, "H-2")
        sent = network["cpas-hotton"].refer("le-trusquin", beneficiary=kept)
        eventually(lambda: network.pathway("cpas-hotton", kept) is not None)
        assert jalons("restore", file, "--data", data).exit_code == 1, "there is no such file"
        cursors = unread_since(network)
        made = jalons("backup", file, "--data", data)
        assert made.exit_code == 0, made.output
        assert file.stat().st_mode & 0o777 == 0o600
        assert jalons("backup", file, "--data", data).exit_code == 1, "no file is overwritten"
        running = jalons("restore", file, "--data", data, "--yes")
        assert running.exit_code == 1 and "runs on" in running.output
        network["cpas-hotton"].done("DELETE", f"/beneficiaries/{erased}")
        lost = network["cpas-hotton"].refer("le-trusquin")["ref"]
        eventually(lambda: any(lost in mail["subject"] for mail in network.mails()))

    restored = jalons("restore", file, "--data", data, "--yes")
    assert restored.exit_code == 0, restored.output
    assert "as since it was made: 1 persons" in restored.output
    assert lost in restored.output and sent["ref"] not in restored.output, "only what Kafka alone holds is listed"
    assert list((data / "backups").glob("before-restore-*.jalons")), "what was replaced is kept"

    with Stack(data, port_base=PORTS) as stack:
        for partner in network.partners.values():
            partner._token = ""
        for service, cursor in cursors.items():
            events = f"/events?after={cursor}"
            refused(network["cpas-hotton"].call("GET", events, service=service), 422, "log_restored")
        assert unread_since(network).keys() == cursors.keys(), "whoever begins again is answered"
        assert found(network, "H-1") == [kept]
        assert found(network, "H-2") == []
        assert network["cpas-hotton"].call("GET", f"/beneficiaries/{erased}").status_code == 404
        assert network["cpas-hotton"].call("GET", f"/referrals/{lost}").status_code == 404
        assert network["cpas-hotton"].done("GET", f"/beneficiaries/{kept}")["profile"] == PROFILE
        network["le-trusquin"].done("POST", f"/referrals/{sent['ref']}/receive", {})
        eventually(lambda: "received" in str(network.pathway("cpas-hotton", kept)))

    other = tmp_path / "another machine"
    moved = jalons("restore", file, "--data", other)
    assert moved.exit_code == 0, moved.output
    assert "persons" in moved.output
