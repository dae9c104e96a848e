"""The command `jalons`: every verb for running the hub."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated, Literal

import typer

from jalons.cli.backup import backup, restore
from jalons.cli.dead_letters import dead_letters
from jalons.cli.demo import demo
from jalons.cli.doctor import doctor
from jalons.cli.imports import import_table
from jalons.cli.network import network
from jalons.cli.republish import republish
from jalons.cli.retention import retention
from jalons.cli.tail import tail
from jalons.cli.up import up

app = typer.Typer(
    name="jalons",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    rich_markup_mode="markdown",
)
app.command()(up)
app.command()(demo)
app.command()(tail)
app.command()(doctor)
app.command()(republish)
app.command("import")(import_table)
app.command()(retention)
app.command()(backup)
app.command()(restore)
app.add_typer(dead_letters, name="dead-letters")
app.add_typer(network, name="network")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"jalons {version('jalons')}")
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Jalons: a messaging hub for partners who help people back to work.

    Start with `jalons demo`; run a hub with `jalons up --data DIR`.
    """


@app.command()
def serve(service: Annotated[Literal["referrals", "observation", "notifications"], typer.Argument()]) -> None:
    """Run one service in the foreground, from `JALONS_…` settings.

    For production: each service is one process; start it again to scale.
    `jalons up` runs everything on one machine.

        JALONS_DATABASE_URL=… JALONS_KAFKA=… jalons serve referrals
    """
    from jalons.cli.settings import from_environment
    from jalons.process.serve import serve as run

    run(service, from_environment())


@app.command()
def migrate() -> None:
    """Upgrade the database schemas and create missing Kafka topics.

    Safe to repeat, and to run from several machines at once. `jalons up`
    does it by itself.
    """
    from jalons.cli.settings import from_environment, refused
    from jalons.process.logs import quieten
    from jalons.process.migrate import NewerDatabase
    from jalons.process.migrate import migrate as run

    quieten()
    settings = from_environment()
    try:
        run(settings, typer.echo)
    except NewerDatabase as error:
        raise refused(
            f"The data was made by a later version of Jalons: {error}.",
            f"This is {version('jalons')}; run the version that made the data, or restore a backup made by this one.",
        ) from error
    except Exception as error:
        raise refused(
            f"The servers cannot be migrated ({type(error).__name__}).",
            "Check JALONS_DATABASE_URL and JALONS_KAFKA, and that both servers run.",
        ) from error


def main() -> None:
    """The entry point."""
    app()
