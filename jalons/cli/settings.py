"""Reads settings from the environment; errors are two lines: the cause, the cure."""

from __future__ import annotations

import typer
from pydantic import ValidationError

from jalons.process.settings import Settings


def refused(cause: str, cure: str) -> typer.Exit:
    """Print cause and cure on stderr; returns an exit with code 1, to be raised."""
    typer.secho(cause, fg=typer.colors.RED, err=True)
    typer.echo(cure, err=True)
    return typer.Exit(1)


def from_environment() -> Settings:
    """Settings from `JALONS_…`. Exits with the names of missing or wrong ones, never with a value."""
    try:
        return Settings()
    except ValidationError as error:
        names = sorted({f"JALONS_{str(each['loc'][0]).upper()}" for each in error.errors() if each["loc"]})
        raise refused(
            f"Settings are missing or wrong: {', '.join(names)}.",
            "Set them in the environment; deploy/env.example explains each.",
        ) from None
