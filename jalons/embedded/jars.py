"""A jar is put on the class path only if its SHA-256 is the one in the committed lock file.

`python -m jalons.embedded.jars lock` writes the lock, which is reviewed and committed. Jars are downloaded once into
the user's cache, through a side folder, so that a cached jar is complete and verified. The download runs in a process
of its own (`… fetch`), to keep its libraries out of the hub and to end at once on Ctrl-C.
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

# Each is resolved on its own: together, the logging backend's managed versions would downgrade Kafka's own jars.
ROOTS = (f"org.apache.kafka:kafka_2.13:{KAFKA}", "org.slf4j:slf4j-jdk14:1.7.36")

AT_ONCE = 4
TRIES = 3

Fetched = Callable[[int], None]


@dataclass(frozen=True)
class Jar:
    """An entry of the lock file."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def path(self) -> Path:
        """Its path in the cache, which has the layout of a Maven repository."""
        folder = Path(*self.group.split("."), self.artifact, self.version)
        return folder / f"{self.artifact}-{self.version}.jar"

    @property
    def coordinate(self) -> str:
        """Its Maven coordinate, group:artifact:version."""
        return f"{self.group}:{self.artifact}:{self.version}"

    def stands_in(self, cache: Path) -> bool:
        """Whether the cache holds it with the locked SHA-256."""
        try:
            with (cache / self.path).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == self.sha256
        except FileNotFoundError:
            return False


def locked(lock: Path = LOCK) -> list[Jar]:
    """The jars of the lock file, in class path order."""
    rows = tomllib.loads(lock.read_text(encoding="utf-8"))["dependencies"]
    return [Jar(row["groupId"], row["artifactId"], row["version"], row["sha256"]) for row in rows]


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/jalons/jars`, by default under `~/.cache`."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "jalons" / "jars"


def class_path(cache: Path | None = None, lock: Path = LOCK, *, quiet: bool = False) -> list[Path]:
    """Every locked jar's file, verified. Missing and altered ones are downloaded first.

    Needs no network when the cache is complete. Raises CannotStart when a jar cannot be downloaded, or has another
    SHA-256 than the lock says.
    """
    cache, jars = cache or cache_folder(), locked(lock)
    if not all(jar.stands_in(cache) for jar in jars):
        _fetch_apart(cache, lock, quiet=quiet)
    return [cache / jar.path for jar in jars]


def _fetch_apart(cache: Path, lock: Path, *, quiet: bool) -> None:
    """Run `fetch` in a process of its own. On failure it prints cause and cure on stdout, as JSON."""
    command = [sys.executable, "-P", "-m", "jalons.embedded.jars", "fetch", cache, lock, *(["quiet"] if quiet else [])]
    done = subprocess.run(  # noqa: S603 - this very module
        list(map(str, command)), stdout=subprocess.PIPE, text=True, check=False, start_new_session=True
    )
    if done.returncode:
        said = json.loads(done.stdout.strip() or "{}")
        raise CannotStart(
            said.get("cause", f"Kafka's jars could not be fetched (exit code {done.returncode})."),
            said.get("cure", f"The error is shown above; {cache} must be writable and have room."),
        )


def fetch(cache: Path, lock: Path, *, quiet: bool) -> None:
    """Download missing and altered jars into the cache."""
    with _alone(cache):
        missing = [jar for jar in locked(lock) if not jar.stands_in(cache)]  # another process may have done it
        if missing:
            _fetch_all(missing, cache, quiet=quiet)


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """Hold the cache's lock, and delete what a killed download left."""
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
    """Download one jar into the side folder and verify it."""
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
            f"{jar.coordinate} was refused: the repository's file does not have the SHA-256 of {LOCK.name}.",
            "Something on the way to the repository changes files: use another network or mirror.",
        )


def _unreachable(jar: Jar, error: Exception) -> CannotStart:
    return CannotStart(
        f"Kafka's {jar.coordinate} is not in {cache_folder()} and could not be fetched ({type(error).__name__}).",
        "Connect to the Internet once (HTTPS_PROXY is honoured, a mirror is named under [repositories] in jgo.conf), "
        "copy that folder from a machine that has it, or name a broker of your own in JALONS_KAFKA.",
    )


@contextmanager
def _progress(jars: int, *, quiet: bool) -> Iterator[tuple[Fetched, Callable[[], None]]]:
    """A progress bar on stderr: jars and megabytes."""
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
            total += count  # for display only: a lost update between threads is harmless
            progress.update(task, size=total / 1e6)

        yield bytes_fetched, lambda: progress.advance(task)


def write_lock(path: Path = LOCK) -> None:
    """Resolve each root on its own and write all dependencies, with their sums, to the lock file.

    Raises ValueError when two roots need different versions of one artifact.
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
    """`lock`, for maintainers; `fetch CACHE LOCK [quiet]`, for `class_path`."""
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
