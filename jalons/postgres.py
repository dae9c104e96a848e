"""What SQLAlchemy Core cannot say: COPY, advisory locks, LISTEN and NOTIFY.

An advisory lock has a name here. PostgreSQL locks a number, the hash of that name: two names that share a hash share
their lock, which costs waiting and is otherwise harmless.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Connection, Table, func
from sqlalchemy import select as select_
from sqlalchemy.engine import make_url

CONNECT_SECONDS = 5
KEEPALIVE: dict[str, Any] = {
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
"""libpq options: a server that vanished without closing its connections is noticed within 15 seconds."""

Direct = psycopg.Connection[tuple[Any, ...]]
"""A connection of its own beside the pool, in autocommit."""


def direct(url: str, schema: str, purpose: str) -> Direct:
    """Open a direct connection, for a session lock or LISTEN. url: SQLAlchemy's form; purpose: ends its
    application_name. Raises psycopg.OperationalError."""
    return psycopg.connect(
        make_url(url).set(drivername="postgresql").render_as_string(hide_password=False),
        autocommit=True,
        connect_timeout=CONNECT_SECONDS,
        application_name=f"jalons-{schema}-{purpose}",
        options=f"-c statement_timeout=30s -c lock_timeout=5s -c search_path={schema}",
        **KEEPALIVE,
    )


def listen(conn: Direct, channel: str) -> None:
    """Have the server notify this connection of what is sent to a channel."""
    conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))


def await_notice(conn: Direct, seconds: float, stopping: threading.Event) -> None:
    """Wait for a notification on a listening connection, for at most `seconds`, and at most one second once `stopping`
    is set. Returns at once if one arrived since the last call. Raises psycopg.OperationalError.

    Polls the socket: psycopg's own wait wakes ten times a second, which an idle hub would pay for all day.
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


def notify(conn: Connection, channel: str) -> None:
    """Notify a channel's listeners once the caller's transaction commits."""
    conn.execute(select_(func.pg_notify(channel, "")))


def try_session_lock(conn: Direct, name: str) -> bool:
    """Take an advisory lock until the connection closes; False if another session holds it."""
    row = conn.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (name,)).fetchone()
    return bool(row and row[0])


def lock(conn: Connection, name: str) -> None:
    """Wait for an advisory lock and hold it until the caller's transaction ends."""
    conn.execute(select_(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


def try_lock(conn: Connection, name: str) -> bool:
    """Take an advisory lock until the caller's transaction ends; False if another transaction holds it."""
    taken = conn.scalar(select_(func.pg_try_advisory_xact_lock(func.hashtextextended(name, 0))))
    return bool(taken)


def copy_rows(conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows by COPY in the caller's transaction, as `conn.execute(insert(table), rows)` would, only faster for
    many rows. rows: each with the same columns."""
    if not rows:
        return
    columns = list(rows[0])
    driver = conn.connection.driver_connection
    assert driver is not None
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types([table.c[name].type.compile(conn.dialect).lower() for name in columns])
        for row in rows:
            copy.write_row([row[name] for name in columns])
