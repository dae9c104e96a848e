"""What runs as Kafka is what the lock file names, whatever happened on the way."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from conftest import eventually

from jalons.embedded import CannotStart
from jalons.embedded.jars import KAFKA, LOCK, Jar, cache_folder, class_path, locked

SMALL = next(jar for jar in locked() if jar.artifact == "slf4j-api")


class Repository(ThreadingHTTPServer):
    """A Maven repository on this machine; `spoil` changes what it sends, `dawdle` makes it stop half-way."""

    spoil = dawdle = False

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), partial(Pages, directory=str(folder)))
        Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Pages(SimpleHTTPRequestHandler):
    server: Repository

    def copyfile(self, source, outputfile) -> None:
        content = source.read()
        if self.server.spoil:
            content = b"x" + content[1:]
        outputfile.write(content[:100])
        outputfile.flush()
        while self.server.dawdle:
            time.sleep(0.05)
        outputfile.write(content[100:])

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    """Holds one small jar, and is the only place that jars are asked from."""
    class_path()
    served = tmp_path / "served" / SMALL.path
    served.parent.mkdir(parents=True)
    shutil.copy(cache_folder() / SMALL.path, served)
    server = Repository(tmp_path / "served")
    (tmp_path / "jgo.conf").write_text(f"[repositories]\ncentral = {server.url}\n")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(tmp_path / "jgo.conf"))
    monkeypatch.setenv("NO_PROXY", "*")
    yield server
    server.dawdle = False
    server.shutdown()
    server.server_close()


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "small.lock.toml"
    path.write_text(
        f'[[dependencies]]\ngroupId = "{SMALL.group}"\nartifactId = "{SMALL.artifact}"\n'
        f'version = "{SMALL.version}"\nsha256 = "{SMALL.sha256}"\n'
    )
    return path


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


def test_all_of_kafkas_jars_are_of_one_version() -> None:
    kafkas = {jar.artifact: jar.version for jar in locked() if jar.group == "org.apache.kafka"}
    assert len(kafkas) > 10
    assert set(kafkas.values()) == {KAFKA}


def test_the_lock_names_every_sum_and_no_host() -> None:
    assert all(len(jar.sha256) == 64 for jar in locked())
    assert len({(jar.group, jar.artifact) for jar in locked()}) == len(locked())
    assert "://" not in LOCK.read_text()


def test_a_warm_cache_needs_no_network(offline: None) -> None:
    assert [path.name for path in class_path()] == [jar.path.name for jar in locked()]


def test_a_jar_that_was_tampered_with_is_fetched_again(repository: Repository, lock: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    class_path(cache, lock, quiet=True)
    (cache / SMALL.path).write_bytes(b"not what was locked")
    class_path(cache, lock, quiet=True)
    assert SMALL.stands_in(cache)


def test_a_tampered_jar_is_refused_offline_with_cause_and_cure(offline: None, lock: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    (cache / SMALL.path).parent.mkdir(parents=True)
    (cache / SMALL.path).write_bytes(b"not what was locked")
    with pytest.raises(CannotStart) as refused:
        class_path(cache, lock, quiet=True)
    assert SMALL.coordinate in refused.value.cause
    assert "JALONS_KAFKA" in refused.value.cure


def test_what_a_repository_sends_instead_never_enters_the_cache(
    repository: Repository, lock: Path, tmp_path: Path
) -> None:
    repository.spoil = True
    with pytest.raises(CannotStart, match="SHA-256"):
        class_path(tmp_path / "cache", lock, quiet=True)
    assert not list((tmp_path / "cache").rglob("*.jar"))


def test_a_fetch_that_is_killed_half_way_poisons_nothing(repository: Repository, lock: Path, tmp_path: Path) -> None:
    repository.dawdle, cache = True, tmp_path / "cache"
    command = [sys.executable, "-m", "jalons.embedded.jars", "fetch", str(cache), str(lock), "quiet"]
    fetching = subprocess.Popen(command)
    eventually(lambda: list(cache.rglob("*.jar")))
    os.kill(fetching.pid, signal.SIGKILL)
    fetching.wait()
    assert not (cache / SMALL.path).exists()
    repository.dawdle = False
    class_path(cache, lock, quiet=True)
    assert SMALL.stands_in(cache)
    assert not list(cache.glob(".fetching-*"))


def test_a_jars_place_is_that_of_a_maven_repository() -> None:
    jar = Jar("org.slf4j", "slf4j-api", "1.7.36", "")
    assert jar.path == Path("org/slf4j/slf4j-api/1.7.36/slf4j-api-1.7.36.jar")
