"""The one way to reach PostgreSQL: an engine whose connections see one schema and give up in bounded time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg.errors import UniqueViolation
from sqlalchemy import Column, Connection, Engine, TableValuedAlias, bindparam, create_engine, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import DBAPIError, IntegrityError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.types import TypeEngine

from jalons.postgres import CONNECT_SECONDS, KEEPALIVE

T = TypeVar("T")

_TIMEOUTS = "-c statement_timeout=30s -c lock_timeout=5s -c idle_in_transaction_session_timeout=10s"

BIGINT_MOST = 2**63 - 1
"""The largest position or sequence that a column holds."""

TRANSIENT = frozenset({"08", "40", "53", "55", "57", "58"})
"""SQLSTATE classes of passing faults: connection, rollback, resources, object not ready, operator, system."""


class Busy(Exception):
    """The database did not do the work in time. Trying again later is safe."""


def engine(url: str, schema: str, *, pool: int = 10) -> Engine:
    """An engine whose connections see one schema. Opens nothing until it is first used.

    url: `postgresql+psycopg://…`. Connections are pinged before use, so that no call meets one that a restarted server
    has closed. Statements are prepared at their second use; the connection used last is used next, so that its plans
    are used again.
    """
    return create_engine(
        url,
        pool_size=pool,
        max_overflow=0,
        pool_timeout=10,
        pool_use_lifo=True,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "application_name": f"jalons-{schema}",
            "prepare_threshold": 1,
            "options": f"{_TIMEOUTS} -c search_path={schema}",
            **KEEPALIVE,
        },
    )


def transient(error: BaseException) -> bool:
    """Whether the same work may succeed if tried again: the server vanished, was busy, or rolled it back.

    A closed list: an error of the driver itself, which has no SQLSTATE, counts only if it is about the connection.
    Such as a NUL in a text is the work's own fault, and never passes.
    """
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or _passing(error.orig, connecting=error.statement is None)
    if isinstance(error, psycopg.Error):
        return _passing(error, connecting=True)
    return isinstance(error, PoolTimeout | PendingRollbackError)  # the latter: the connection was lost before


def _passing(error: BaseException | None, *, connecting: bool) -> bool:
    """connecting: whether an OperationalError without a state can only be a connection's."""
    state = getattr(error, "sqlstate", None)
    if state is None:
        return connecting and isinstance(error, psycopg.OperationalError)
    return str(state)[:2] in TRANSIENT


@contextmanager
def transaction(pool: Engine) -> Iterator[Connection]:
    """A connection in a transaction: committed at the end, rolled back on any error."""
    with pool.begin() as conn:
        yield conn


def array_rows(**types: type[TypeEngine[Any]]) -> TableValuedAlias:
    """Rows passed as one array parameter per column, to select from or join with; the values come from `as_arrays`.

    One statement, compiled once, serves any number of rows.
    """
    arrays = [bindparam(f"array_{name}", type_=ARRAY(kind)) for name, kind in types.items()]
    columns: list[Column[Any]] = [Column(name, kind) for name, kind in types.items()]
    return func.unnest(*arrays).table_valued(*columns).render_derived()


def as_arrays(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The parameters of `array_rows`, from at least one row."""
    return {f"array_{name}": [row[name] for row in rows] for name in rows[0]}


def transact(engine: Engine, do: Callable[[Connection], T], *, attempts: int = 3) -> T:
    """Run `do` in one transaction and commit. After a deadlock or another passing fault it is tried again, `attempts`
    times in all, but never once the commit was sent: it is unknown then whether the commit was done.

    Raises Busy if the last attempt failed on a passing fault. Other errors of `do` are raised as they are, with nothing
    written.
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
