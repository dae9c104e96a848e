"""`jalons dead-letters`: lists what could not be applied and why, and retries it."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from jalons.cli.hub import As, Data, Hub, find

dead_letters = typer.Typer(
    invoke_without_command=True,
    help="Records that were set aside and events that are parked, with their reason.\n\n"
    "A *set-aside* record was unreadable; nothing waits for it. A *parked* event failed in a service; later events of "
    "the same person wait behind it, in order. Fix the cause, then `retry`. A *forged* one is not in its source's log: "
    "it came, or was even applied, although its source did not write it.",
)

_FOLLOWERS = ("observation", "notifications")
_SHOWN = ("kind", "type", "source", "subject", "sequence", "topic", "partition", "offset")
_ALSO_SHOWN = ("reason", "at", "attempts", "waiting", "resolved")


@dead_letters.callback()
def default(context: typer.Context, data: Data = None, as_client: As = None) -> None:
    """Without a verb: the list."""
    if context.invoked_subcommand is None:
        listed(data, as_client)


@dead_letters.command("list")
def listed(
    data: Data = None,
    as_client: As = None,
    resolved: Annotated[bool, typer.Option("--all", help="Include resolved ones.")] = False,
) -> None:
    """List dead letters of every consuming service, oldest first."""
    hub = find(data, as_client)
    table = Table("id", "service", "kind", "where", "waiting", "reason", box=None, pad_edge=False)
    count = 0
    for service in _FOLLOWERS:
        for letter in hub.call("GET", service, "/dead-letters", params={"resolved": resolved})["items"]:
            count += 1
            table.add_row(
                letter["id"], service, letter["kind"], _where(letter), str(letter["waiting"]), letter["reason"]
            )
    console = Console()
    if count:
        console.print(table)
    else:
        console.print("No dead letters: everything that was read was applied.")


@dead_letters.command()
def show(letter: UUID, data: Data = None, as_client: As = None) -> None:
    """Show one: its place in Kafka and why it failed, never its content."""
    hub = find(data, as_client)
    service, found = _found(hub, letter)
    typer.echo(f"service    {service}")
    for name in (*_SHOWN, *_ALSO_SHOWN):
        typer.echo(f"{name:<10} {found[name] if found[name] is not None else '–'}")


@dead_letters.command()
def retry(letter: UUID, data: Data = None, as_client: As = None) -> None:
    """Retry one, with everything that waits behind it. Says what happened; exits 1 if it stays open."""
    hub = find(data, as_client)
    service, _ = _found(hub, letter)
    answer = hub.call("POST", service, f"/dead-letters/{letter}/retry")
    if answer["mended"]:
        typer.echo("Mended; what waited behind it was applied in order.")
        return
    closed = " The dead letter is closed." if answer["resolved"] else ""
    typer.echo(f"Not mended: {answer['reason']}.{closed}")
    if not answer["resolved"]:
        raise typer.Exit(1)


def _found(hub: Hub, letter: UUID) -> tuple[str, dict[str, Any]]:
    for service in _FOLLOWERS:
        for each in hub.call("GET", service, "/dead-letters", params={"resolved": True, "limit": 1000})["items"]:
            if each["id"] == str(letter):
                return service, each
    typer.echo("No service has a dead letter of that id; see `jalons dead-letters list --all`.", err=True)
    raise typer.Exit(1)


def _where(letter: dict[str, Any]) -> str:
    if letter["topic"] is None:
        return f"{letter['source']} number {letter['sequence']}"
    return f"{letter['topic']}/{letter['partition']}@{letter['offset']}"
