"""`jalons retention`: persons who left so long ago that their record may not be kept are erased."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from jalons.cli.hub import Data, find


def retention(
    data: Data = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many, by home partner.")] = False,
) -> None:
    """Erase the persons whose time is over: 24 months from leaving.

    A convention may set another number of months; the longest of those in
    force of the home partner counts. Nobody is named. Each is erased as
    `DELETE /beneficiaries/{id}` does it, and cannot be brought back. Stopped
    in the middle, give the same command again.

        jalons retention --dry-run --data data
    """
    hub = find(data)
    due = hub.call("GET", "referrals", "/retention")
    if not due["total"]:
        typer.echo("Nobody is due: no record is kept longer than it may be.")
        return
    table = Table("home partner", "persons due", box=None, pad_edge=False)
    for item in due["items"]:
        table.add_row(item["home"], str(item["persons"]))
    Console().print(table)
    if dry_run:
        return
    erased, left = 0, 1
    while left:
        answer = hub.call("POST", "referrals", "/retention")
        erased, left = erased + answer["erased"], answer["left"]
    typer.echo(f"{erased} erased; the other services follow within seconds.")
