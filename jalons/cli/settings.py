"""Settings from the environment, and refusals in two plain lines: the cause, the cure."""

from __future__ import annotations

import typer
from pydantic import ValidationError

from jalons.process.settings import Settings


def refused(cause: str, cure: str) -> typer.Exit:
    """Say why not and what to do, on stderr; to be raised. Exit code 1."""
    typer.secho(cause, fg=typer.colors.RED, err=True)
    typer.echo(cure, err=True)
    return typer.Exit(1)


def from_environment() -> Settings:
    """The settings of `JALONS_…`. Exits with the names of those that are missing or wrong, never with a value."""
    try:
        return Settings()
    except ValidationError as error:
        names = sorted({f"JALONS_{str(each['loc'][0]).upper()}" for each in error.errors() if each["loc"]})
        raise refused(
            f"Settings are missing or wrong: {', '.join(names)}.",
            "Set them in the environment; deploy/env.example explains each.",
        ) from None
