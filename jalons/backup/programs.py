"""PostgreSQL's own `pg_dump` and `psql`: they read and write a whole database in one transaction each."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import IO

from sqlalchemy.engine import URL, make_url

from jalons.embedded import CannotStart
from jalons.embedded.postgres import programs
from jalons.process.settings import SERVICES

_CHUNK = 1 << 20


def dump(url: str, snapshot: str, out: IO[bytes]) -> None:
    """Write the SQL of every service's schema, as seen by an exported snapshot. Raises CannotStart if it fails."""
    schemas = [f"--schema={service}" for service in SERVICES]
    options = ["--no-owner", "--no-privileges", f"--snapshot={snapshot}", *schemas]
    with _running("pg_dump", url, options, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        shutil.copyfileobj(process.stdout, out, _CHUNK)


def load(url: str, before: Sequence[str], sql: IO[bytes], after: Sequence[str]) -> None:
    """Run statements, a dump and more statements in one transaction: all of it takes effect, or nothing.

    Raises CannotStart if one fails.
    """
    options = ["--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "--output", os.devnull]
    with _running("psql", url, [*options, "--file=-"], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        try:
            process.stdin.write(_script(before))
            shutil.copyfileobj(sql, process.stdin, _CHUNK)
            process.stdin.write(_script(after))
            process.stdin.close()
        except BrokenPipeError:
            pass  # it has ended with an error, which is reported below


def _script(statements: Sequence[str]) -> bytes:
    return "".join(f"\n{statement};\n" for statement in statements).encode()


@contextmanager
def _running(
    program: str, url: str, options: Sequence[str], *, stdin: int = subprocess.DEVNULL, stdout: int = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[bytes]]:
    """A program at work on a database. It is killed if the caller fails; the caller fails if it does.

    What it prints stays unsaid but for PostgreSQL's first line, without the row that a DETAIL may quote.
    """
    named = make_url(url)
    address = URL.create("postgresql", named.username, None, named.host, named.port, named.database, named.query)
    environment = os.environ | {"PGPASSWORD": named.password or "", "PGCONNECT_TIMEOUT": "10"}
    with TemporaryFile() as errors:
        process = subprocess.Popen(  # noqa: S603 - the wheel's program
            [programs() / program, *options, f"--dbname={address.render_as_string()}"],
            stdin=stdin,
            stdout=stdout,
            stderr=errors,
            env=environment,
        )
        try:
            yield process
            code = process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        if code:
            errors.seek(0)
            said = errors.readline(500).decode("utf-8", "replace").strip()
            raise CannotStart(f"{program} failed: {said}", "See that PostgreSQL runs and that its disk has room.")
