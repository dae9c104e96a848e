"""No jar is put on a class path unless its SHA-256 is the one in the committed lock file.

The lock is written by `python -m jalons.embedded.jars lock`, reviewed and committed; running needs only the lock.
Jars are fetched once into the user's cache, each to a side folder first: what stands in the cache is whole and
verified. Fetching is a process of its own (`… fetch`), so that a hub stays light and a Ctrl-C need not wait for it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jalons.embedded import CannotStart

LOCK = Path(__file__).with_name("kafka.lock.toml")
KAFKA = "4.4.0"

# Resolved apart: resolved together, a logging backend's managed versions would pull Kafka's own jars down.
ROOTS = (f"org.apache.kafka:kafka_2.13:{KAFKA}", "org.slf4j:slf4j-jdk14:1.7.36")

AT_ONCE = 4
TRIES = 3

Fetched = Callable[[int], None]


@dataclass(frozen=True)
class Jar:
    """One line of the lock."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def path(self) -> Path:
        """Where it stands under the cache, in the layout of a Maven repository."""
        folder = Path(*self.group.split("."), self.artifact, self.version)
        return folder / f"{self.artifact}-{self.version}.jar"

    @property
    def coordinate(self) -> str:
        """As Maven writes it."""
        return f"{self.group}:{self.artifact}:{self.version}"

    def stands_in(self, cache: Path) -> bool:
        """Whether the cache holds it, byte for byte."""
        try:
            with (cache / self.path).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == self.sha256
        except FileNotFoundError:
            return False


def locked(lock: Path = LOCK) -> list[Jar]:
    """What the lock file names, in class path order."""
    rows = tomllib.loads(lock.read_text(encoding="utf-8"))["dependencies"]
    return [Jar(row["groupId"], row["artifactId"], row["version"], row["sha256"]) for row in rows]


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/jalons/jars`, by default under `~/.cache`."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "jalons" / "jars"


def class_path(cache: Path | None = None, lock: Path = LOCK, *, quiet: bool = False) -> list[Path]:
    """Every locked jar's file, verified; those missing or not as locked are fetched first.

    Needs no network when the cache is whole. Raises CannotStart when a jar can neither be found nor fetched, or when
    what was fetched is not what the lock says.
    """
    cache, jars = cache or cache_folder(), locked(lock)
    if not all(jar.stands_in(cache) for jar in jars):
        _fetch_apart(cache, lock, quiet=quiet)
    return [cache / jar.path for jar in jars]


def _fetch_apart(cache: Path, lock: Path, *, quiet: bool) -> None:
    """Run `fetch` in a process of its own; what it says on stdout is why it could not."""
    command = [sys.executable, "-P", "-m", "jalons.embedded.jars", "fetch", cache, lock, *(["quiet"] if quiet else [])]
    done = subprocess.run(  # noqa: S603 - this very module
        list(map(str, command)), stdout=subprocess.PIPE, text=True, check=False, start_new_session=True
    )
    if done.returncode:
        said = json.loads(done.stdout.strip() or "{}")
        raise CannotStart(
            said.get("cause", f"Kafka's jars could not be fetched (exit code {done.returncode})."),
            said.get("cure", f"What was wrong is said above; {cache} must be writable and have room."),
        )


def fetch(cache: Path, lock: Path, *, quiet: bool) -> None:
    """Bring what is missing, or not as locked, into the cache."""
    with _alone(cache):
        missing = [jar for jar in locked(lock) if not jar.stands_in(cache)]  # another process may have fetched them
        if missing:
            _fetch_all(missing, cache, quiet=quiet)


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """One process fetches at a time; the one that holds the lock may sweep what a killed one left."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for left in cache.glob(".fetching-*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


def _fetch_all(missing: list[Jar], cache: Path, *, quiet: bool) -> None:
    with (
        tempfile.TemporaryDirectory(dir=cache, prefix=".fetching-") as side,
        _progress(len(missing), quiet=quiet) as (bytes_fetched, jar_fetched),
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):

        def fetch(jar: Jar) -> None:
            _fetch(jar, Path(side), bytes_fetched)
            (cache / jar.path).parent.mkdir(parents=True, exist_ok=True)
            (Path(side) / jar.path).replace(cache / jar.path)
            jar_fetched()

        try:
            list(pool.map(fetch, missing))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _fetch(jar: Jar, side: Path, fetched: Fetched) -> None:
    """Bring one jar into the side folder and verify it."""
    from jgo.config import GlobalSettings
    from jgo.maven import MavenContext, PythonResolver

    @contextmanager
    def count(_name: str, _size: int) -> Iterator[Fetched]:
        yield fetched

    context = MavenContext(
        resolver=PythonResolver(progress_callback=count),
        repo_cache=side,
        remote_repos=GlobalSettings.load().repositories or None,
    )
    artifact = context.create_dependency(jar.coordinate).artifact
    for attempt in range(1, TRIES + 1):
        (side / jar.path).unlink(missing_ok=True)
        try:
            artifact.resolve()
            break
        except (OSError, RuntimeError) as error:  # what jgo and its HTTP client raise
            if attempt == TRIES:
                raise _unreachable(jar, error) from error
            time.sleep(attempt)
    if not jar.stands_in(side):
        raise CannotStart(
            f"{jar.coordinate} was refused: what the repository sent has not the SHA-256 of {LOCK.name}.",
            "Something between here and the repository changes files: use another network or mirror.",
        )


def _unreachable(jar: Jar, error: Exception) -> CannotStart:
    return CannotStart(
        f"Kafka's {jar.coordinate} is not in {cache_folder()} and could not be fetched ({type(error).__name__}).",
        "Connect to the Internet once (HTTPS_PROXY is honoured, a mirror is named under [repositories] in jgo.conf), "
        "copy that folder from a machine that has it, or name a broker of your own in JALONS_KAFKA.",
    )


@contextmanager
def _progress(jars: int, *, quiet: bool) -> Iterator[tuple[Fetched, Callable[[], None]]]:
    """A bar on stderr: jars out of all, and the megabytes so far."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("jars, {task.fields[size]:.1f} MB"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as progress:
        task = progress.add_task(f"Fetching Kafka {KAFKA}, once", total=jars, size=0.0)
        total = 0

        def bytes_fetched(count: int) -> None:
            nonlocal total
            total += count  # a display: a lost update between two threads does no harm
            progress.update(task, size=total / 1e6)

        yield bytes_fetched, lambda: progress.advance(task)


def write_lock(path: Path = LOCK) -> None:
    """Resolve each root by itself and write what they need, with sums, to the lock file.

    Raises ValueError when two roots ask for different versions of the same thing.
    """
    from jgo.env import LockedDependency, LockFile
    from jgo.maven import MavenContext

    found: dict[tuple[str, str], LockedDependency] = {}
    with tempfile.TemporaryDirectory() as folder:
        context = MavenContext(repo_cache=Path(folder))
        for root in ROOTS:
            inputs, needed = context.resolver.resolve([context.create_dependency(root)])
            for dependency in inputs + [one for one in needed if one.scope in {"compile", "runtime"}]:
                name = (dependency.groupId, dependency.artifactId)
                if name in found and found[name].version != dependency.version:
                    raise ValueError(f"{root} wants {name} {dependency.version}, not {found[name].version}")
                found.setdefault(name, LockedDependency.from_dependency(dependency))
    LockFile(list(found.values()), environment_name="kafka", min_java_version=17).save(path)


def main(verb: str, *arguments: str) -> None:
    """`lock`, for who maintains this; `fetch CACHE LOCK [quiet]`, for `class_path`."""
    if verb == "lock":
        write_lock()
        return
    cache, lock, *quiet = arguments
    try:
        fetch(Path(cache), Path(lock), quiet=bool(quiet))
    except CannotStart as error:
        json.dump({"cause": error.cause, "cure": error.cure}, sys.stdout)
        sys.exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
