"""`jalons demo`: starts a hub in a fresh folder, plays one person's pathway, and checks that what it shows is true."""

from __future__ import annotations

import contextlib
import json
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table


def demo(
    leave: Annotated[bool, typer.Option("--exit", help="Stop at the end; exit 0 only if every check passed.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object with the results as the last line on stdout.")
    ] = False,
) -> None:
    """Play one person's pathway through the network of Intégra Plus, on real servers, in a fresh folder.

    A CPAS refers a person to a training operator; the operator accepts,
    trains; an employer hires the person. You see each call, then what
    follows from it: the pathway, the counts, the messages.

    Without --exit the hub keeps running so that you can look around;
    Ctrl-C ends it and removes its folder.
    """
    from jalons.cli.up import run_stack

    console = Console(stderr=as_json, highlight=False)
    with tempfile.TemporaryDirectory(prefix="jalons-demo-") as folder:
        data = Path(folder) / "hub"
        run_stack(data, lambda stack: _played(stack.info, console, data, leave=leave, as_json=as_json))


def _played(info: dict[str, Any], console: Console, data: Path, *, leave: bool, as_json: bool) -> None:
    """Play the story on a running hub. Exits 1 if a check fails."""
    from jalons.cli.demo.story import DemoFailed, Story
    from jalons.client import HubError
    from jalons.clock import local_date, now

    began = time.monotonic()
    with contextlib.closing(Story(info, _teller(console), local_date(now()))) as story:
        try:
            story.load()
            console.print("\n[bold]Intégra Plus[/] is loaded. What its partners do, each by its own calls:")
            story.play()
            found = story.outcome()
        except (DemoFailed, HubError) as error:
            console.print(f"[bold red]Not true:[/] {escape(str(error))}")
            raise typer.Exit(1) from None
        _show(console, story.mails(), found)
    if as_json:
        print(json.dumps(found | {"seconds": round(time.monotonic() - began, 3)}, ensure_ascii=False), flush=True)  # noqa: T201
    if not leave:
        _what_next(info, console, data)
        threading.Event().wait()


def _what_next(info: dict[str, Any], console: Console, data: Path) -> None:
    """Say where everything is, and what to try."""
    console.print("\nThe hub stays up until Ctrl-C, which removes its folder. Meanwhile:")
    rows = {
        "folder": str(data),
        "secrets": f"{data / 'hub.json'} (the operator's)",
        "addresses": ", ".join(f"{info[name]}/docs" for name in ("referrals", "observation", "notifications")),
        "try next": f"jalons tail --after 0 --data {data}; jalons doctor --data {data}",
        "to keep data": "jalons up --data data",
    }
    for name, what in rows.items():
        console.print(f"  {name:<13} {escape(what)}", soft_wrap=True)


def _teller(console: Console) -> Callable[[str, str], None]:
    return lambda who, what: console.print(f"  [bold]{escape(who)}[/] {escape(what)}")


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="italic", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _show(console: Console, mails: list[dict[str, Any]], found: dict[str, Any]) -> None:
    console.print("\nWhat followed by itself")
    pathway = _table("the pathway", "moment", "from", "to", "at", "goal", "chosen by")
    for step in found["pathway"]["steps"]:
        meaning = {name: value or "–" for name, value in step["meaning"].items()}
        left = (step["left_at"] or "…")[:10]
        pathway.add_row(
            step["moment"], step["entered_at"][:10], left, step["partner"], meaning["goal"], meaning["chosen_by"]
        )
    console.print(pathway)
    counts = _table("the counts", "measure", "n")
    for measure, number in found["counts"].items():
        counts.add_row(measure, str(number))
    console.print(counts)
    messages = _table("the messages", "to", "subject")
    for mail in mails:
        messages.add_row(mail["to"], mail["subject"])
    console.print(messages)
    console.print("[bold green]All of it is true:[/] the pathway has every event of the log, each with its cause;")
    console.print("the counts equal a recount of the log; every message went out once.")
