"""A backup is one file, complete or absent: a manifest, the dump of all schemas from one snapshot, a folder's secrets.

The file is a ZIP with `manifest.json`, `database.sql` and, from a data folder, `secrets.json`. Only its owner may read
it: with the secrets it opens everything.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, column, create_engine, func, select, table

from jalons.backup import programs
from jalons.embedded import CannotStart
from jalons.privacy.sealing import derive
from jalons.process.settings import SERVICES

FORMAT = 1
_MANIFEST, _DUMP, _SECRETS = "manifest.json", "database.sql", "secrets.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself. made: ISO 8601. positions: service → last position of its log. revisions: service →
    its schema's revision. key: only the secret key that the data was written with gives it."""

    format: int
    version: str
    made: str
    revisions: dict[str, str]
    positions: dict[str, int]
    key: str

    def opened_by(self, secret_key: str) -> bool:
        """Whether this secret key opens the backup's sealed data."""
        return hmac.compare_digest(self.key, proof(secret_key))


def folder_secrets(folder: Path) -> dict[str, str] | None:
    """The secrets of a data folder, which exist nowhere else; None if it has none, as in production."""
    path = folder / "secrets.json"
    return dict(json.loads(path.read_text("utf-8"))) if path.exists() else None


def proof(secret_key: str) -> str:
    """A value that only the same secret key gives."""
    return hashlib.sha256(derive(secret_key, "backup")).hexdigest()


def write(path: Path, url: str, secret_key: str, now: datetime, secrets: Mapping[str, str] | None = None) -> Manifest:
    """Write a backup of the database at `url`. secrets: of the data folder, where there is one.

    The file appears under its name once it is complete and on the disk. Raises CannotStart if `pg_dump` or the disk
    fails, and the database's errors.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            manifest = _fill(file, url, secret_key, now, secrets)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise CannotStart(f"The backup {path} cannot be written ({error.strerror}).", "Name another file.") from error
    finally:
        part.unlink(missing_ok=True)
    return manifest


def _fill(file: IO[bytes], url: str, secret_key: str, now: datetime, secrets: Mapping[str, str] | None) -> Manifest:
    engine = create_engine(url, isolation_level="REPEATABLE READ")
    try:
        with engine.connect() as conn, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            snapshot = str(conn.scalar(select(func.pg_export_snapshot())))
            manifest = _manifest(conn, secret_key, now)
            archive.writestr(_MANIFEST, json.dumps(asdict(manifest), indent=2))
            if secrets is not None:
                archive.writestr(_SECRETS, json.dumps(dict(secrets), indent=2))
            with archive.open(_DUMP, "w", force_zip64=True) as out:
                programs.dump(url, snapshot, out)
            return manifest
    finally:
        engine.dispose()


def _manifest(conn: Connection, secret_key: str, now: datetime) -> Manifest:
    revisions, positions = {}, {}
    for service in SERVICES:
        revision = table("alembic_version", column("version_num"), schema=service)
        events = table("events", column("position"), schema=service)
        revisions[service] = str(conn.scalar(select(revision.c.version_num)))
        positions[service] = conn.scalar(select(func.coalesce(func.max(events.c.position), 0))) or 0
    return Manifest(FORMAT, version("jalons"), now.isoformat(), revisions, positions, proof(secret_key))


class Backup:
    """A backup that was checked: complete, undamaged and of a format that this version reads."""

    def __init__(self, archive: zipfile.ZipFile, path: Path) -> None:
        self._archive = archive
        self.path = path
        self.manifest = self._read_manifest()
        self.secrets = self._json(_SECRETS) if _SECRETS in archive.namelist() else None

    @contextmanager
    def dump(self) -> Iterator[IO[bytes]]:
        """The SQL of the dump, as a stream."""
        with self._archive.open(_DUMP) as stream:
            yield stream

    def _read_manifest(self) -> Manifest:
        found = self._json(_MANIFEST)
        if found.get("format") != FORMAT:
            raise CannotStart(
                f"The backup {self.path} was made by version {found.get('version', 'unknown')}, and this one cannot"
                " read it.",
                "Restore it with that version.",
            )
        return Manifest(**found)

    def _json(self, name: str) -> dict[str, Any]:
        return dict(json.loads(self._archive.read(name)))


@contextmanager
def reading(path: Path) -> Iterator[Backup]:
    """Open a backup and check every byte of it first. Raises CannotStart if it is none, or damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
            if damaged or {_MANIFEST, _DUMP} - set(archive.namelist()):
                raise CannotStart(f"The backup {path} is damaged.", "Take another one.")
            yield Backup(archive, path)
    except OSError as error:
        raise CannotStart(f"The backup {path} cannot be read ({error.strerror}).", "Check its name.") from error
    except (zipfile.BadZipFile, ValueError, TypeError) as error:
        raise CannotStart(f"{path} is no backup, or is damaged.", "Name a file that `jalons backup` made.") from error
