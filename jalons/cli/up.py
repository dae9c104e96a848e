"""`jalons up`: runs the whole hub in the foreground until it is stopped."""

from __future__ import annotations

import json
import signal
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from jalons.embedded import CannotStart
from jalons.embedded.stack import Stack

_SERVICES = ("referrals", "observation", "notifications")
_LOOK_SECONDS = 10.0


class _Stopped(BaseException):
    """Ctrl-C, SIGTERM, or the terminal closed; raised in the main thread wherever it is."""


def _stop(_signal: int, _frame: FrameType | None) -> None:
    _on_stop(signal.SIG_IGN)  # stopping takes seconds: a second signal must not interrupt it
    raise _Stopped


def _on_stop(handler: signal.Handlers | object) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handler)  # type: ignore[arg-type]


def up(
    data: Annotated[Path, typer.Option(help="The data folder; created if it does not exist.")],
    port_base: Annotated[
        int | None,
        typer.Option(help="First of the three services' ports, which must be free. Else 8001, or the next free ones."),
    ] = None,
    allow_loopback_webhooks: Annotated[
        bool, typer.Option("--allow-loopback-webhooks", help="Allow webhooks to this machine, for trying them out.")
    ] = False,
    public_url: Annotated[
        str | None, typer.Option(help="The public address that links and pages carry, as your proxy serves it.")
    ] = None,
    smtp_url: Annotated[
        str | None, typer.Option(help="Send mail through smtp://user:password@host:587. Without it mail is caught.")
    ] = None,
    test_clock: Annotated[
        bool, typer.Option("--test-clock", help="Let POST /test/clock move time forward, for trying out deadlines.")
    ] = False,
) -> None:
    """Run the whole hub on this machine: Kafka, PostgreSQL, a mail catcher and the three services.

    Needs Python only: Kafka's files (45 MB) are downloaded once into your
    cache; nothing is installed. Everything listens on 127.0.0.1 and keeps
    its data in one folder. Ctrl-C stops it; started again on the same
    folder it continues where it stopped, also after a kill.

    When it is ready, DIR/hub.json holds all addresses and the operator's
    secret; other commands find the hub with the same --data.

        jalons up --data data

    JALONS_KAFKA, JALONS_DATABASE_URL and JALONS_SMTP_URL name servers of
    your own to use instead. Logs are in DIR/log.
    """
    console = _console()
    run_stack(
        data,
        lambda stack: _wait(stack, console),
        port_base=port_base,
        allow_loopback_webhooks=allow_loopback_webhooks,
        public_url=public_url,
        smtp_url=smtp_url,
        test_clock=test_clock,
    )


def run_stack(data: Path, work: Callable[[Stack], None], **options: Any) -> None:
    """Start a hub on a folder, do the work, and stop the hub whatever happens. Ctrl-C and SIGTERM stop it.

    Exits 1 with cause and cure if the hub cannot run.
    """
    console = _console()

    def report(sentence: str) -> None:
        console.print(escape(sentence), soft_wrap=True)

    stack = Stack(data, report=report, progress=lambda sentence: report(f"{sentence} …"), quiet=False, **options)
    _on_stop(_stop)
    try:
        with stack:
            work(stack)
    except _Stopped:
        report("The hub is stopped; its data is kept.")
    except CannotStart as error:
        console.print(f"[bold red]The hub cannot run.[/] {escape(error.cause)}\n{escape(error.cure)}", soft_wrap=True)
        raise typer.Exit(1) from error


def _console() -> Console:
    return Console(stderr=True, highlight=False)


def _wait(stack: Stack, console: Console) -> None:
    _show(stack, console)
    told: set[str] = set()
    while True:
        told = _tell(stack, console, told)
        time.sleep(_LOOK_SECONDS)


def _tell(stack: Stack, console: Console, told: set[str]) -> set[str]:
    """Print what does not work, once while it lasts, and with what to do; returns what does not work now."""
    amiss = set()
    for service in _SERVICES:
        for finding in troubles(stack.info[service], service, stack.folder.path):
            amiss.add(finding)
    for said in sorted(amiss - told):
        console.print(f"[bold yellow]Not well:[/] {escape(said)}", soft_wrap=True)
    if told and not amiss:
        console.print("All is well again.")
    return amiss


def troubles(url: str, service: str, data: Path) -> list[str]:
    """What a service says does not work, each with what to do. Nothing while it does not answer: its supervisor says
    so."""
    try:
        with urllib.request.urlopen(f"{url}/health/ready", timeout=5) as answer:  # noqa: S310 - our own loopback address
            degraded: dict[str, str] = json.load(answer)["degraded"]
    except (OSError, ValueError, KeyError):
        return []
    return [
        f"{service}: {name}: {why}".replace(f"republish {service}", f"republish {service} --data {data}")
        for name, why in degraded.items()
        if name in {"topics", "sending", "forged", "batch"}
    ]


def _show(stack: Stack, console: Console) -> None:
    """Print where everything is, without secrets: terminals are logged."""
    folder = stack.folder.path
    caught = f"caught in {stack.mail_folder}" if stack.mail_folder else "sent through your SMTP server"
    rows = {
        "referrals": f"{stack.info['referrals']}/docs",
        "observation": f"{stack.info['observation']}/docs",
        "notifications": f"{stack.info['notifications']}/docs",
        "broker": stack.info["kafka"],
        "mail": caught,
        "secrets, URLs": str(folder / "hub.json"),
        "logs": str(folder / "log"),
    }
    console.print("[bold green]The hub is ready.[/]")
    for name, where in rows.items():
        console.print(f"  {name:<14} {escape(where)}", soft_wrap=True)
    console.print("Ctrl-C stops it.")
