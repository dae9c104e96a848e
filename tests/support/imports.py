"""Imports as tests give them: a table, and what became of each of its rows."""

from __future__ import annotations

from typing import Any

from tests.support.apps import Apps
from tests.support.network import Partner, eventually
from tests.support.parts import working


def worked_off(apps: Apps, home: Partner, content: bytes, *, dry_run: bool = False) -> dict[str, Any]:
    """An import of this table, all its rows worked off."""
    with working(apps.services["referrals"].parts["imports"]):
        files, flag = {"file": ("relais.csv", content)}, {"dry_run": "true" if dry_run else "false"}
        taken = home.call("POST", "/imports", files=files, data=flag)
        assert taken.status_code == 202, taken.text
        path = f"/imports/{taken.json()['import_id']}?limit=500"
        done: dict[str, Any] = eventually(
            lambda: seen if (seen := home.done("GET", path))["status"] == "finished" else None
        )
    return done
