"""`jalons import`: a partner's table becomes referrals; every row is checked first, and it is safe to repeat."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from jalons.cli.hub import Data, Hub, find

_LOOK_SECONDS = 0.5
_SHOWN = 20


def import_table(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="CSV or XLSX.")],
    as_client: Annotated[
        str, typer.Option("--as", help="The partner's client; its secret is read from JALONS_CLIENT_SECRET.")
    ],
    data: Data = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check every row, send nothing.")] = False,
    go_on: Annotated[bool, typer.Option("--yes", help="Send what can be sent even if some rows are refused.")] = False,
) -> None:
    """Create a referral from each row of your table.

    Every row is checked first, as if it were sent. If one is refused,
    nothing is sent unless you pass --yes. A row that was imported before
    is skipped, so the same file may be imported again after an
    interruption, a correction or added rows.

        JALONS_CLIENT_SECRET=… jalons import relais.csv --as cpas-hotton-1 --data data

    Columns that name a person are refused before any row is read.
    `GET /imports/fields` lists the known headings;
    `PUT /imports/mapping` maps other headings.
    """
    hub = find(data, as_client)
    checked = _run(hub, file, dry_run=True)
    _tell(hub, checked, "to be sent", "would be refused")
    if dry_run or (checked["refused"] and not go_on):
        raise typer.Exit(1 if checked["refused"] else 0)
    done = _run(hub, file, dry_run=False)
    _tell(hub, done, "sent", "refused")
    raise typer.Exit(1 if done["refused"] else 0)


def _run(hub: Hub, file: Path, *, dry_run: bool) -> dict[str, Any]:
    """Upload the file and wait until it is processed."""
    content = file.read_bytes()
    made = hub.call(
        "POST",
        "referrals",
        "/imports",
        files={"file": (file.name, content)},
        data={"dry_run": "true" if dry_run else "false"},
    )
    bar = Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=Console(stderr=True))
    with bar:
        task = bar.add_task("checking" if dry_run else "sending", total=made["rows"])
        while True:
            seen: dict[str, Any] = hub.call("GET", "referrals", f"/imports/{made['import_id']}", params={"limit": 1})
            bar.update(task, completed=seen["done"] + seen["already_done"] + seen["refused"])
            if seen["status"] == "finished":
                return seen
            time.sleep(_LOOK_SECONDS)


def _tell(hub: Hub, seen: dict[str, Any], done: str, refused: str) -> None:
    typer.echo(
        f"{seen['rows']} rows: {seen['done']} {done}, {seen['already_done']} done before, {seen['refused']} {refused}."
    )
    if not seen["refused"]:
        return
    asked = {"outcome": "refused", "limit": _SHOWN}
    for row in hub.call("GET", "referrals", f"/imports/{seen['import_id']}", params=asked)["items"]:
        typer.echo(f"  row {row['row']}: {row['cause']} {row['cure']}")
    if seen["refused"] > _SHOWN:
        typer.echo(f"  … and {seen['refused'] - _SHOWN} more: GET /imports/{seen['import_id']}?outcome=refused")
