"""One way to reach PostgreSQL: an engine whose connections see one schema and give up in bounded time."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg.errors import UniqueViolation
from psycopg.rows import namedtuple_row
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError

T = TypeVar("T")
Values = Sequence[Any] | Mapping[str, Any]
Asked = Callable[[], T]
"""Reads the answer to what was asked in a pipeline, once that is over."""

CONNECT_SECONDS = 5
_TIMEOUTS = "-c statement_timeout=30s -c lock_timeout=5s -c idle_in_transaction_session_timeout=10s"
_KEEPALIVE: dict[str, Any] = {
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}

TRANSIENT = frozenset({"08", "40", "53", "55", "57", "58"})
"""SQLSTATE classes of what passes: connection, rollback, resources, object not ready, operator, system."""


class Busy(Exception):
    """The database could not take this on in time; trying again later is safe."""


def engine(url: str, schema: str, *, pool: int = 10) -> Engine:
    """An engine whose connections live in one schema. Opens nothing until it is first used.

    url: `postgresql+psycopg://…`. Connections are not asked whether they live before each use, which would cost a
    round trip: `transaction` and `transact` drop the whole pool at the first that does not. The one used last is used
    next, and statements are prepared at their second use, so that few plans are made.
    """
    return create_engine(
        url,
        pool_size=pool,
        max_overflow=0,
        pool_timeout=10,
        pool_use_lifo=True,
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "application_name": f"jalons-{schema}",
            "prepare_threshold": 1,
            "options": f"{_TIMEOUTS} -c search_path={schema}",
            **_KEEPALIVE,
        },
    )


def direct(url: str, schema: str, purpose: str) -> psycopg.Connection[tuple[Any, ...]]:
    """A connection of its own, in autocommit, for session locks and LISTEN. Raises psycopg.OperationalError."""
    return psycopg.connect(
        make_url(url).set(drivername="postgresql").render_as_string(hide_password=False),
        autocommit=True,
        connect_timeout=CONNECT_SECONDS,
        application_name=f"jalons-{schema}-{purpose}",
        options=f"-c statement_timeout=30s -c lock_timeout=5s -c search_path={schema}",
        **_KEEPALIVE,
    )


def await_notice(conn: psycopg.Connection[Any], seconds: float, stopping: threading.Event) -> None:
    """Wait until a LISTENing connection is notified, or was since it was last asked; at most so long, and at most a
    second once `stopping` is set. Raises psycopg.OperationalError.

    Sleeps in the kernel: psycopg's own wait looks ten times a second, which an idle hub would pay for all day.
    """
    if list(conn.notifies(timeout=0)):
        return
    poller = select.poll()
    poller.register(conn.fileno(), select.POLLIN)
    until = time.monotonic() + seconds
    while not stopping.is_set() and (left := until - time.monotonic()) > 0:
        if poller.poll(min(left, 1.0) * 1000):
            list(conn.notifies(timeout=0))
            return


def transient(error: BaseException) -> bool:
    """Whether the same work may succeed when tried again: the server vanished, was busy, or rolled us back."""
    if isinstance(error, DBAPIError):
        if error.connection_invalidated:
            return True
        state = getattr(error.orig, "sqlstate", None)
        if state is None:
            return isinstance(error, OperationalError | InterfaceError)
        return str(state)[:2] in TRANSIENT
    if isinstance(error, psycopg.Error):
        return error.sqlstate is None or error.sqlstate[:2] in TRANSIENT
    return type(error).__name__ == "TimeoutError" and type(error).__module__.startswith("sqlalchemy")


def execute(conn: Connection, statement: LiteralString | str, values: Values = ()) -> psycopg.Cursor[Any]:
    """Run one statement in a connection's transaction; rows have their columns as attributes.

    On psycopg's own cursor: the layer between costs half as much again, and our statements are SQL anyway.
    """
    cursor = conn.connection.driver_connection.cursor(row_factory=namedtuple_row)  # type: ignore[union-attr]
    return cursor.execute(statement, values or None)  # type: ignore[no-any-return]


def one(conn: Connection, statement: LiteralString | str, values: Values = ()) -> Any:
    """The row of a statement that gives one. Raises LookupError if it gives none."""
    row = execute(conn, statement, values).fetchone()
    if row is None:
        raise LookupError("the statement gave no row")
    return row


FEW = 8
"""So many rows are cheaper to pass value by value than as arrays."""


def given(types: str, rows: Sequence[Sequence[Any]]) -> tuple[str, list[Any]]:
    """What stands after FROM for these rows, and its values: `VALUES` while they are few, `unnest` when they are many.

    types: of the columns, in order, as in "text bigint uuid".
    """
    if 0 < len(rows) <= FEW:
        return _listed(types, len(rows)), [value for row in rows for value in row]
    columns = [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in types.split()]
    return _unnested(types), columns


@cache
def _listed(types: str, rows: int) -> str:
    kinds = types.split()
    first = ", ".join(f"%s::{kind}" for kind in kinds)
    other = ", ".join(["%s"] * len(kinds))
    return f"(VALUES ({first}){f', ({other})' * (rows - 1)})"


@cache
def _unnested(types: str) -> str:
    return f"unnest({', '.join(f'%s::{kind}[]' for kind in types.split())})"


@contextmanager
def pipelined(conn: Connection) -> Iterator[None]:
    """Statements in here are sent without waiting for each answer, and are all answered at its end, where the first
    that failed raises. A row can be asked for and is waited for; a count of rows cannot."""
    with conn.connection.driver_connection.pipeline():  # type: ignore[union-attr]
        yield


@contextmanager
def transaction(pool: Engine) -> Iterator[Connection]:
    """A connection in a transaction: committed at the end, rolled back on any error. After a server vanished, every
    connection it left behind is dropped."""
    with pool.connect() as conn:
        try:
            with conn.begin():
                yield conn
        except BaseException:
            drop_if_broken(pool, conn)
            raise


@contextmanager
def looking(pool: Engine) -> Iterator[Connection]:
    """A connection whose statements are transactions of their own: one look, or one statement that writes, in one round
    trip instead of three."""
    with pool.connect() as conn:
        try:
            yield conn.execution_options(isolation_level="AUTOCOMMIT")
        except BaseException:
            drop_if_broken(pool, conn)
            raise


def drop_if_broken(pool: Engine, conn: Connection) -> None:
    """Forget a pool whose connections the server has closed."""
    driver = conn.connection.driver_connection if not conn.invalidated and not conn.closed else None
    if driver is not None and driver.closed:
        conn.invalidate()
        pool.dispose()


def transact(engine: Engine, do: Callable[[Connection], T], *, attempts: int = 3) -> T:
    """Run `do` in one transaction and commit. A deadlock or a lost connection is tried again, at most `attempts` times
    in all, but never once the commit was sent: then nobody knows whether it was done.

    Raises Busy when the last attempt met a passing trouble; other errors of `do` as they are, with nothing written.
    """
    for attempt in range(1, attempts + 1):
        committing = False
        try:
            with transaction(engine) as conn:
                result = do(conn)
                committing = True
            return result
        except Exception as error:
            if not transient(error):
                raise
            if committing or attempt == attempts:
                raise Busy("the database did not take this on in time") from error
    raise AssertionError("unreachable")


@contextmanager
def unique_errors(errors: Mapping[str, type[Exception]]) -> Iterator[None]:
    """Raise the error named for a unique constraint where a statement violates it.

    errors: constraint or unique index → exception. The transaction has failed then and can only be rolled back.
    """
    try:
        yield
    except IntegrityError as error:
        if isinstance(error.orig, UniqueViolation) and (named := errors.get(error.orig.diag.constraint_name or "")):
            raise named from None
        raise
