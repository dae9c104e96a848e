"""A network is loaded from one file: loading is idempotent, and another region is another file."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from jalons.cli.network.file import shipped
from jalons.embedded.stack import Stack
from tests.journeys.test_operator_commands import ENVIRONMENT, jalons
from tests.support.calls import written
from tests.support.network import Network


def elsewhere(prefix: str) -> dict[str, Any]:
    """Intégra Plus in another region: every partner and offer has another name, the rest is unchanged."""
    network = yaml.safe_load(shipped("integra-plus.yaml").read_text("utf-8"))
    names = {*network["partners"], *network["offers"]}

    def renamed(value: Any) -> Any:
        if isinstance(value, dict):
            return {renamed(key): renamed(each) for key, each in value.items()}
        if isinstance(value, list):
            return [renamed(each) for each in value]
        return f"{prefix}-{value}" if value in names else value

    other = network | {key: renamed(network[key]) for key in ("partners", "conventions", "offers")}
    for partner in other["partners"].values():
        partner.pop("front", None)  # the network of this hub has one already
    return other


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "region.yaml"


def write(file: Path, network: dict[str, Any]) -> None:
    file.write_text(yaml.safe_dump(network, allow_unicode=True, sort_keys=False), "utf-8")


def load(stack: Stack, file: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return jalons(stack.folder.path, "network", "load", str(file), *options)


def test_loading_a_network_again_applies_only_changes(network: Network, stack: Stack, file: Path) -> None:
    region = elsewhere("r2")
    write(file, region)
    before = written(network)
    shown = load(stack, file, "--dry-run")
    assert (shown.returncode, written(network)) == (0, before), shown.stderr
    assert "27 partners, 7 conventions, 34 offers: 68 to add, 0 to change, 0 left alone." in shown.stdout
    assert shown.stdout.endswith("Nothing was sent.\n")

    first = load(stack, file)
    assert first.returncode == 0, first.stderr
    assert first.stdout.endswith("Intégra Plus is loaded.\n")
    trusquin = network.operator.done("GET", "/partners/r2-le-trusquin")
    assert (trusquin["name"], trusquin["status"], trusquin["version"]) == ("EFT Le Trusquin", "active", 1)
    assert network.operator.done("GET", "/offers/r2-projet-de-vie")["transport_help"] is True

    loaded = written(network)
    again = load(stack, file)
    assert again.returncode == 0, again.stderr
    assert "0 to add, 0 to change, 68 left alone." in again.stdout
    assert again.stdout.endswith("Nothing to change: the hub is as the file says.\n")
    assert written(network) == loaded

    region["offers"]["r2-projet-de-vie"]["places"] = 25
    write(file, region)
    changed = load(stack, file)
    assert changed.returncode == 0, changed.stderr
    assert "change  offer       r2-projet-de-vie             places: 20 → 25" in changed.stdout
    assert "0 to add, 1 to change, 67 left alone." in changed.stdout
    assert network.operator.done("GET", "/offers/r2-projet-de-vie")["version"] == 2


def test_an_interrupted_load_continues(network: Network, stack: Stack, file: Path) -> None:
    region = elsewhere("r3")
    offers = region.pop("offers")
    region["communes"] = {"83040": {"name": "Nassogne", "latitude": 50.129, "longitude": 5.342}}
    bus = {"parent": "distance_mobility", "label": "Pas de bus"}
    region["codes"] = {"decline_reason": {"r3_no_bus": bus}}
    write(file, region)
    assert load(stack, file).returncode == 0
    write(file, region | {"offers": offers})
    rest = load(stack, file)
    assert rest.returncode == 0, rest.stderr
    assert (
        "1 code, 1 commune, 27 partners, 7 conventions, 34 offers: 34 to add, 0 to change, 36 left alone."
        in rest.stdout
    )
    found = network["cpas-hotton"].done("GET", "/offers?partner=r3-le-trusquin&commune=83040")["items"]
    assert {item["distance_km"] for item in found} == {11}, "from Nassogne to Marche"
    shown = network["cpas-hotton"].done("GET", "/codes")["lists"]["decline_reason"]
    assert {"code": "r3_no_bus", **bus, "finer": True} in shown


def test_a_wrong_file_is_refused_before_anything_is_sent(network: Network, stack: Stack, file: Path) -> None:
    region = elsewhere("r4")
    region["offers"]["r4-createurs"]["colour"] = "green"
    write(file, region)
    before = written(network)
    result = load(stack, file)
    assert (result.returncode, result.stdout) == (1, "")
    line = 1 + file.read_text("utf-8").splitlines().index("    colour: green")
    assert f"region.yaml, line {line}: offers.r4-createurs.colour: no such key" in result.stderr
    assert "Correct the file" in result.stderr
    assert written(network) == before


def test_an_impossible_change_is_reported_before_anything_is_sent(network: Network, stack: Stack, file: Path) -> None:
    region = elsewhere("r5")
    region["codes"] = {"end_reason": {"r5_abroad": {"parent": "moved", "label": "Parti à l'étranger"}}}
    write(file, region)
    assert load(stack, file).returncode == 0
    loaded = written(network)
    region["conventions"][0]["shared_attributes"] = ["age_band"]
    region["partners"]["r5-slaie"]["name"] = "Autre nom"
    write(file, region)
    result = load(stack, file)
    assert result.returncode == 1
    assert "The convention of 1996-01-01, 2 parties" in result.stderr
    assert "another shared_attributes" in result.stderr
    assert "terminate" in result.stderr
    assert written(network) == loaded, "not even the partner's name was changed"
    region["codes"]["end_reason"]["r5_abroad"]["parent"] = "found_work"
    write(file, region)
    assert "The code end_reason/r5_abroad hangs under moved on the hub" in load(stack, file).stderr
    assert written(network) == loaded


def test_a_client_that_may_not_write_the_directory_loads_nothing(
    network: Network, stack: Stack, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(file, elsewhere("r6"))
    hotton = network["cpas-hotton"]
    monkeypatch.setitem(ENVIRONMENT, "JALONS_CLIENT_SECRET", hotton.client_secret)
    before = written(network)
    result = load(stack, file, "--as", hotton.client_id)
    assert result.returncode == 1
    assert "coordinator" in result.stderr
    assert written(network) == before
