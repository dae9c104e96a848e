"""One backup a night into a folder; the newest are kept. A night that was missed is made up for at the next start."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, func, select

from jalons import clock
from jalons.backup import archive
from jalons.database import Busy, transaction
from jalons.embedded import CannotStart
from jalons.messaging.tables import events
from jalons.postgres import direct, try_session_lock
from jalons.process import metrics
from jalons.process.parts import Part, repeated
from jalons.process.settings import Settings

log = logging.getLogger(__name__)

SUFFIX = ".jalons"
HOUR = 2
"""In Brussels."""
EVERY_SECONDS = 600.0
PATIENCE_SECONDS = 4 * 3600.0
"""A dump of a large database may take this long."""
_STAMP = "%Y%m%dT%H%M%SZ"
_NAMED = "nightly-"


class Nightly:
    """Makes the night's backup when it is due. folder: where; keep: how many stay."""

    def __init__(
        self, engine: Engine, settings: Settings, folder: Path, now: Callable[[], datetime] = clock.now
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._folder = folder
        self._now = now

    @property
    def part(self) -> Part:
        """The nightly backup as a part of a process."""
        return Part("backup", repeated(self._round), passing=(CannotStart,), delay=30.0, patience=PATIENCE_SECONDS)

    def once(self) -> bool:
        """Make the backup if the last night's is missing; False if there was nothing to do, or another process is at
        it. Raises CannotStart and the database's errors."""
        now = self._now()
        if not self._due(now):
            return False
        with direct(self._settings.direct_url, "referrals", "backup") as conn:
            if not try_session_lock(conn, "backup"):
                raise Busy("another process makes the backup")
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self._folder / f"{_NAMED}{now.astimezone(UTC).strftime(_STAMP)}{SUFFIX}"
            secret_key = self._settings.secret_key.get_secret_value()
            archive.write(
                path,
                self._settings.direct_url,
                secret_key,
                clock.real_now(),
                archive.folder_secrets(self._folder.parent),
            )
        for old in nightly(self._folder)[: -self._settings.backups_kept]:
            old.unlink(missing_ok=True)
        log.info("backup made: %s", path.name)
        return True

    def _due(self, now: datetime) -> bool:
        """Whether no backup was made since the last night, and the hub has lived through it."""
        night = _last_night(now)
        if made := last_made(self._folder):
            return made < night
        began = self._began()
        return began is not None and began < night

    def _began(self) -> datetime | None:
        """When the hub recorded its first event."""
        with transaction(self._engine) as conn:
            began: datetime | None = conn.scalar(select(func.min(events.c.recorded)))
        return began

    def _round(self) -> float:
        self.once()
        if made := last_made(self._folder) or self._began():
            metrics.BACKUP_MADE.set(made.timestamp())
        return EVERY_SECONDS


def nightly(folder: Path) -> list[Path]:
    """The nightly backups in a folder, oldest first."""
    return sorted(folder.glob(f"{_NAMED}*{SUFFIX}")) if folder.is_dir() else []


def last_made(folder: Path) -> datetime | None:
    """When the newest nightly backup in a folder was made; None if there is none."""
    for path in reversed(nightly(folder)):
        try:
            stamp = path.name.removeprefix(_NAMED).removesuffix(SUFFIX)
            return datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


def _last_night(now: datetime) -> datetime:
    """The newest two o'clock in Brussels that is past."""
    here = now.astimezone(clock.BRUSSELS)
    night = here.replace(hour=HOUR, minute=0, second=0, microsecond=0)
    return night if night <= here else night - timedelta(days=1)
