"""A file that is no whole backup is refused before anything is touched; the list of the erased survives a crash."""

from __future__ import annotations

import json
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jalons.backup import archive, nightly
from jalons.backup.erased import ErasedList
from jalons.backup.nightly import Nightly
from jalons.backup.restore import restore
from jalons.clock import BRUSSELS
from jalons.embedded import CannotStart
from jalons.process.settings import Settings
from tests.support.apps import SECRET, Apps

MANIFEST = archive.Manifest(archive.FORMAT, "0.1.0", "2026-11-27T02:00:00+00:00", {}, {}, archive.proof(SECRET))


def packed(path: Path, **files: str) -> Path:
    with zipfile.ZipFile(path, "w") as into:
        for name, content in files.items():
            into.writestr(name.replace("_", "."), content)
    return path


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0xFF
    path.write_bytes(bytes(content))


WHOLE = {"manifest_json": json.dumps(asdict(MANIFEST)), "database_sql": "SELECT 1;" * 500}
SPOILED: dict[str, Callable[[Path], object]] = {
    "missing": lambda _path: None,
    "a folder": lambda path: path.mkdir(),
    "empty": lambda path: path.touch(),
    "text": lambda path: path.write_text("pg_dump"),
    "cut short": lambda path: path.write_bytes(packed(path, **WHOLE).read_bytes()[:-40]),
    "a flipped byte": lambda path: flipped(packed(path, **WHOLE)),
    "without a dump": lambda path: packed(path, manifest_json=WHOLE["manifest_json"]),
    "without a manifest": lambda path: packed(path, database_sql="SELECT 1;"),
    "a manifest of another kind": lambda path: packed(path, **WHOLE | {"manifest_json": '{"format": 1, "x": 2}'}),
    "a manifest that is no JSON": lambda path: packed(path, **WHOLE | {"manifest_json": "{"}),
    "a list for a manifest": lambda path: packed(path, **WHOLE | {"manifest_json": "[1]"}),
    "of a later version": lambda path: packed(path, **WHOLE | {"manifest_json": '{"format": 2, "version": "9.0"}'}),
}


@pytest.mark.parametrize("how", SPOILED)
def test_what_is_no_whole_backup_is_refused(how: str, tmp_path: Path) -> None:
    path = tmp_path / "backup.jalons"
    SPOILED[how](path)
    with pytest.raises(CannotStart) as refused, archive.reading(path):
        pass
    assert str(path) in refused.value.cause and refused.value.cure


def settings(apps: Apps, **more: object) -> Settings:
    given = {"database_url": apps.network.info["database"].replace("postgresql:", "postgresql+psycopg:")}
    given |= {"kafka": "127.0.0.1:1", "secret_key": SECRET, "hub_client_secret": "a secret"}
    return Settings(**given | more)  # type: ignore[arg-type]


def test_another_hubs_backup_and_services_at_work_are_refused_with_nothing_changed(apps: Apps, tmp_path: Path) -> None:
    path, list_ = packed(tmp_path / "backup.jalons", **WHOLE), ErasedList(tmp_path)
    before = apps.rows("referrals", "SELECT count(*) FROM events")
    with archive.reading(path) as found:
        with pytest.raises(CannotStart, match="secret key"):
            restore(settings(apps, secret_key="another secret, of forty-some characters"), found, list_)
        with pytest.raises(CannotStart, match="Services work"):
            restore(settings(apps), found, list_)
    assert apps.rows("referrals", "SELECT count(*) FROM events") == before


def test_a_backup_appears_whole_or_not_at_all(apps: Apps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, now = tmp_path / "to" / "backup.jalons", datetime.now(UTC)
    path.parent.mkdir()
    (tmp_path / "pg_dump").write_text("#!/bin/sh\necho CREATE TABLE half\necho disk full >&2\nexit 1\n")
    (tmp_path / "pg_dump").chmod(0o700)
    with monkeypatch.context() as broken:
        broken.setattr("jalons.backup.programs.programs", lambda: tmp_path)
        with pytest.raises(CannotStart, match="pg_dump failed: disk full"):
            archive.write(path, settings(apps).database_url, SECRET, now)
    assert list(path.parent.iterdir()) == []
    manifest = archive.write(path, settings(apps).database_url, SECRET, now)
    assert manifest.opened_by(SECRET) and not manifest.opened_by(SECRET + "x")
    with archive.reading(path) as found:
        assert found.manifest == manifest and found.secrets is None
        with found.dump() as sql:
            assert b"CREATE SCHEMA referrals" in sql.read()


def test_the_list_of_the_erased_only_grows_and_survives_a_line_cut_short(tmp_path: Path) -> None:
    list_, refs = ErasedList(tmp_path / "backups"), [uuid.uuid4() for _ in range(3)]
    assert list_.refs() == set()
    list_.add(refs[:2])
    list_.add(refs[:2])
    assert list_.path.read_text().count("\n") == 2
    with list_.path.open("a") as file:
        file.write(str(refs[2])[:20])
    assert list_.refs() == set(refs[:2])
    list_.add(refs)
    assert list_.refs() == set(refs)


def test_a_night_is_made_up_for_and_the_oldest_go(apps: Apps, tmp_path: Path) -> None:
    folder, at = tmp_path / "backups", [datetime(2027, 3, 1, 1, 59, tzinfo=BRUSSELS)]
    part = Nightly(apps.engines["referrals"], settings(apps, backups_kept=2), folder, now=lambda: at[0])

    def made() -> list[str]:
        return [path.name[8:16] for path in nightly.nightly(folder)]

    assert part.once() and made() == ["20270301"], "the last night is past, and the hub was there"
    assert not part.once()
    at[0] += timedelta(minutes=2)
    assert part.once(), "two o'clock has come"
    at[0] += timedelta(hours=20)
    assert not part.once()
    at[0] += timedelta(days=9)
    assert part.once() and made() == ["20270301", "20270310"], "two stay"
    (folder / "before-restore-x.jalons").touch()
    assert nightly.last_made(folder) == at[0].replace(microsecond=0)
