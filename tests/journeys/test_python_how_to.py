"""The how-to of the Python client runs as it is written, and its types hold."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.network import Network, eventually

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(
    r"^```python (sender|receiver)\n(.*?)^```$",
    (ROOT / "docs/how-to/python-client.md").read_text("utf-8"),
    re.MULTILINE | re.DOTALL,
)


def test_the_how_to_runs_as_written(network: Network, capsys: pytest.CaptureFixture[str]) -> None:
    assert [who for who, _ in BLOCKS] == ["sender", "receiver", "sender", "sender", "sender"]
    sender, receiver = (_named(network, slug) for slug in ("cpas-hotton", "le-trusquin"))
    (_, refer), (_, answer), (_, keep_up), (_, table), (_, awaited) = BLOCKS
    exec(refer, sender)  # the how-to itself
    reference = sender["referral"]["ref"]
    assert capsys.readouterr().out.startswith(f"Referred as {reference}; an answer is due by 20")

    exec(answer, receiver | {"REF": reference})
    assert "`complete` is not open to you while the status is `accepted`" in capsys.readouterr().out

    def printed() -> bool:
        exec(keep_up, sender)
        return f"{reference} was accepted" in capsys.readouterr().out

    assert eventually(printed)
    exec(table, sender)
    assert f"H-2026-208 {reference} Accepté" in capsys.readouterr().out
    other = network["cpas-hotton"].refer("le-trusquin")["ref"]
    exec(awaited, sender)
    waiting = capsys.readouterr().out
    assert other in waiting
    assert reference not in waiting
    sender["hub"].close()


def _named(network: Network, slug: str) -> dict[str, Any]:
    """The variables that the page assumes."""
    partner = network[slug]
    return {"HUB": network.info, "CLIENT_ID": partner.client_id, "CLIENT_SECRET": partner.client_secret}


def test_mypy_finds_a_wrong_code_in_the_how_to(tmp_path: Path) -> None:
    names = "HUB: str\nCLIENT_ID: str\nCLIENT_SECRET: str\nREF: str\n"
    for who in ("sender", "receiver"):
        code = names + "\n".join(block for whose, block in BLOCKS if whose == who)
        (tmp_path / f"{who}.py").write_text(code, "utf-8")
        (tmp_path / f"{who}_mistaken.py").write_text(code.replace('"formation"', '"retraite"').replace('"sent"', "1"))
    assert _mypy(tmp_path / "sender.py", tmp_path / "receiver.py") == set()
    assert _mypy(tmp_path / "sender_mistaken.py", tmp_path / "receiver_mistaken.py") == {
        "sender_mistaken.py",
        "receiver_mistaken.py",
    }


def _mypy(*files: Path) -> set[str]:
    """The files in which strict mypy finds a mistake."""
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", *map(str, files)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=150, check=False)
    assert not ran.stderr, ran.stderr
    return {Path(line.partition(":")[0]).name for line in ran.stdout.splitlines() if ": error:" in line}
