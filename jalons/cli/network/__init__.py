"""`jalons network load`: bring the hub's directory in line with a network file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jalons.cli.hub import As, Data, find
from jalons.cli.settings import refused

if TYPE_CHECKING:
    from jalons.cli.network.file import NetworkFile
    from jalons.cli.network.plan import Step

network = typer.Typer(help="A network of partners as a file.", no_args_is_help=True)


@network.callback()
def _of_networks() -> None:
    """A network of partners as a file."""


@network.command()
def load(
    file: Annotated[Path, typer.Argument(help="A network, such as deploy/networks/integra-plus.yaml.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")] = False,
    data: Data = None,
    as_client: As = None,
) -> None:
    """Load codes, partners, conventions and offers from a file.

    Shows what is added, what changes and what stays, then makes the calls.
    Running it again changes nothing; after an interruption it continues.
    Nothing is ever removed: entries that the file does not have stay.

    A convention is identified by its parties and its first day. A file
    with a mistake is refused before anything is sent. Exits 0 when the hub
    matches the file (or would, with --dry-run), else 1.

        jalons network load deploy/networks/integra-plus.yaml --data data
    """
    from jalons.cli.network.file import WrongFile, read
    from jalons.cli.network.plan import CannotBecome, carry_out, plan
    from jalons.cli.progress import Bar

    try:
        described = read(file)
    except WrongFile as error:
        raise refused(
            f"Nothing was sent. {error}", "Correct the file; deploy/networks/integra-plus.yaml shows its form."
        ) from None
    with find(data, as_client).session("referrals") as call:
        try:
            steps = plan(described, call)
        except CannotBecome as error:
            raise refused(
                f"Nothing was sent. {error}",
                "A convention is ended (POST /conventions/{id}/terminate) and a new one signed from another first day;"
                " an offer or a code gets another name.",
            ) from None
        _show(described, steps)
        todo = sum(step.verdict != "same" for step in steps)
        if dry_run or not todo:
            typer.echo("Nothing was sent." if dry_run else "Nothing to change: the hub is as the file says.")
            return
        with Bar("loading", todo) as advance:
            carry_out(steps, call, advance)
    typer.echo(f"Done: {described.network.name} is loaded.")


def _show(described: NetworkFile, steps: list[Step]) -> None:
    """Print each difference, then the offers by moment, then the totals."""
    for step in steps:
        if step.verdict != "same":
            typer.echo(f"{step.verdict:<7} {step.noun:<11} {step.name:<28} {step.said}")
    typer.echo(f"{described.network.name} by moment:")
    for moment, label in described.labels.moments.items():
        offers = [offer for offer in described.offers.values() if offer.moment == moment]
        types = sorted({described.labels.offer_types[offer.type] for offer in offers})
        places = sum(offer.places for offer in offers)
        typer.echo(f"  {label:<40} {len(offers):>3} offers, {places:>4} places  {', '.join(types)}")
    counted = Counter(step.verdict for step in steps)
    nouns = Counter(step.noun for step in steps)
    summed = ", ".join(f"{number} {noun}{'s' if number > 1 else ''}" for noun, number in nouns.items())
    typer.echo(f"{summed}: {counted['add']} to add, {counted['change']} to change, {counted['same']} left alone.")
