"""`jalons retention`: erases persons whose retention period is over."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from jalons.cli.hub import Data, find


def retention(
    data: Data = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print how many, by home partner.")] = False,
) -> None:
    """Erase the persons whose retention period is over: 24 months after leaving.

    A convention may set another period; the longest of the home partner's
    conventions in force counts. Nobody is named. Each person is erased as
    by `DELETE /beneficiaries/{id}`, for good. After an interruption, run
    the command again.

        jalons retention --dry-run --data data
    """
    hub = find(data)
    due = hub.call("GET", "referrals", "/retention")
    if not due["total"]:
        typer.echo("Nobody is due for erasure.")
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
