"""`jalons backup` and `jalons restore`: one file with everything, and the way back from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from jalons.cli.settings import from_environment, refused
from jalons.embedded import CannotStart

if TYPE_CHECKING:
    from jalons.backup.archive import Backup
    from jalons.backup.lost import Lost
    from jalons.process.settings import Settings

_SHOWN = 50
_SECRETS = ("secret_key", "operator_client_secret", "hub_client_secret")
"""What data is read and callers are known with. Other secrets belong to the folder's own servers, and stay."""

File = Annotated[Path, typer.Argument(help="The backup's file, for instance monday.jalons.")]
Data = Annotated[
    Path | None, typer.Option("--data", help="The folder of `jalons up`; without it JALONS_… settings are used.")
]


def backup(file: File, data: Data = None) -> None:
    """Write everything the hub keeps into one file, as of one instant.

    The hub may run or be stopped. The file holds the data of all services
    with the persons' keys; from a data folder also its secrets. Whoever
    has it can read everything: keep it as safely as the hub itself.

        jalons backup monday.jalons --data data
    """
    from jalons import clock
    from jalons.backup import archive

    if file.exists():
        raise refused(f"{file} exists already.", "Name another file, or remove it first.")
    if data is not None and not (data / "secrets.json").exists():
        raise refused(f"There is no hub in {data}.", "Name the folder of `jalons up`.")
    with _reported(), _database(data) as settings:
        secret_key = settings.secret_key.get_secret_value()
        secrets = archive.folder_secrets(data) if data else None
        archive.write(file, settings.direct_url, secret_key, clock.real_now(), secrets)
    typer.echo(f"{file} holds everything ({file.stat().st_size / 1e6:.1f} MB). Only you may read it: keep it safe.")


def restore(
    file: File,
    data: Data = None,
    yes: Annotated[bool, typer.Option("--yes", help="Replace what is there without asking.")] = False,
) -> None:
    """Bring a backup back: all of it, or nothing.

    The hub must be stopped. What it holds now is saved beside its nightly
    backups, then replaced. Persons erased since the backup was made are
    erased again before the hub opens. Partners' systems are told to read
    from the beginning (`log_restored`). Acts that only Kafka still holds
    are listed: their partners have to make them again.

        jalons restore monday.jalons --data data
    """
    from jalons.backup import archive

    with _reported(), archive.reading(file) as found:
        typer.echo(f"{file}: made {_minute(found.manifest.made)} by version {found.manifest.version}.")
        with _servers(data) if data else _production() as settings:
            cut_short = data is not None and _mark(data).exists()
            saved = None if cut_short else _saved(settings, file, data)
            if saved and not yes:
                typer.confirm(f"What the hub holds now is saved in {saved}. Replace it by the backup?", abort=True)
            _restore(settings, found, data)
    typer.echo(f"Start the hub: jalons up --data {data}" if data else "Start the services.")


def _restore(settings: Settings, found: Backup, data: Path | None) -> None:
    from jalons.backup.erased import ErasedList
    from jalons.backup.restore import restore as run

    if data is not None:
        _mark(data).touch(0o600)
        settings = _with_secrets(settings, found, data)
    erased_list = ErasedList(_folder(settings, found.path))
    erased_list.add(ErasedList(found.path.absolute().parent).refs())
    erased = run(settings, found, erased_list)
    if data is not None:
        _mark(data).unlink()
    typer.echo(f"The backup is restored. Erased again, as since it was made: {erased} persons.")
    _show_lost(settings, datetime.fromisoformat(found.manifest.made))


def _mark(data: Path) -> Path:
    """While this file exists, `jalons up` refuses the folder: its restore was cut short."""
    return data / "restoring"


def _folder(settings: Settings, file: Path) -> Path:
    return settings.backup_dir or file.absolute().parent


def _with_secrets(settings: Settings, found: Backup, data: Path) -> Settings:
    """Settings with the secrets of the backup, which are kept in the folder from now on."""
    from pydantic import SecretStr

    from jalons.backup import archive
    from jalons.embedded.folder import DataFolder

    if not found.secrets:
        return settings
    taken = {name: found.secrets[name] for name in _SECRETS}
    DataFolder(data).write("secrets.json", (archive.folder_secrets(data) or {}) | taken)
    return settings.model_copy(update={name: SecretStr(value) for name, value in taken.items()})


def _saved(settings: Settings, file: Path, data: Path | None) -> Path | None:
    """Save what the database holds; None if it holds no hub."""
    from sqlalchemy import create_engine, inspect

    from jalons import clock
    from jalons.backup import archive

    engine = create_engine(settings.direct_url)
    try:
        if not inspect(engine).has_table("alembic_version", schema="referrals"):
            return None
    finally:
        engine.dispose()
    now = clock.real_now()
    path = _folder(settings, file) / f"before-restore-{now:%Y%m%dT%H%M%SZ}.jalons"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    secrets = archive.folder_secrets(data) if data else None
    archive.write(path, settings.direct_url, settings.secret_key.get_secret_value(), now, secrets)
    return path


def _show_lost(settings: Settings, made: datetime) -> None:
    """List what only Kafka still holds."""
    from kafka.errors import KafkaError

    from jalons.backup.lost import lost
    from jalons.database import engine

    pool = engine(settings.direct_url, "referrals", pool=1)
    try:
        found = list(lost(settings, pool, made))
    except KafkaError as error:
        typer.echo(f"Kafka does not answer ({type(error).__name__}): acts made since the backup cannot be listed.")
        return
    finally:
        pool.dispose()
    if found:
        _print(found)
    else:
        typer.echo("Kafka holds no act that the backup does not hold.")


def _print(found: list[Lost]) -> None:
    table = Table("made", "partner", "event", "act", box=None, pad_edge=False)
    for each in sorted(found, key=lambda each: each.time)[:_SHOWN]:
        table.add_row(_minute(each.time), each.partner, each.type, each.reference or "")
    typer.echo(f"{len(found)} events are lost: only Kafka still holds them. Their partners have to make them again.")
    Console().print(table)
    if len(found) > _SHOWN:
        typer.echo(f"… and {len(found) - _SHOWN} more.")


def _minute(instant: str) -> str:
    from jalons.clock import BRUSSELS

    return f"{datetime.fromisoformat(instant).astimezone(BRUSSELS):%d/%m/%Y %H:%M}"


@contextmanager
def _database(data: Path | None) -> Iterator[Settings]:
    """Settings that reach the database: of the running hub, of a stopped one's servers, or of the environment."""
    from jalons.process.settings import Settings

    if data is None:
        yield from_environment()
    elif (data / "hub.json").exists():
        try:
            info = json.loads((data / "hub.json").read_text("utf-8"))
            kept = json.loads((data / "secrets.json").read_text("utf-8"))
            known = {"secret_key": kept["secret_key"], "hub_client_secret": kept["hub_client_secret"]}
            url = info["database"].replace("postgresql://", "postgresql+psycopg://", 1)
        except (OSError, ValueError, KeyError):
            raise refused(f"hub.json or secrets.json in {data} is damaged.", "Start the hub again.") from None
        yield Settings(database_url=url, kafka=info["kafka"], **known)
    else:
        with _servers(data) as settings:
            yield settings


@contextmanager
def _production() -> Iterator[Settings]:
    yield from_environment()


@contextmanager
def _servers(data: Path) -> Iterator[Settings]:
    """The servers of a stopped hub, started for as long as the work takes. Raises CannotStart if the hub runs."""
    from jalons.embedded.stack import Stack

    with Stack(data, closed=True, test_clock=(data / "clock").exists()) as stack:
        yield stack.settings


@contextmanager
def _reported() -> Iterator[None]:
    """Exit with cause and cure where the work cannot be done."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except CannotStart as error:
        raise refused(error.cause, error.cure) from error
    except SQLAlchemyError as error:
        raise refused(
            f"The database does not answer ({type(error).__name__}).",
            "Check that it runs; after a kill of `jalons up`, start the hub once and stop it.",
        ) from error
