"""A connection that is lost in the middle of a transaction is a passing fault, wherever it happens."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, Engine, func, select

from jalons.database import Busy, transact
from jalons.privacy.audit import noting

LOSE = select(func.pg_terminate_backend(func.pg_backend_pid()))


def while_persons_are_read(conn: Connection) -> None:
    with noting(conn):
        conn.execute(LOSE)


def within_a_savepoint(conn: Connection) -> None:
    with conn.begin_nested():
        conn.execute(LOSE)


def and_the_error_is_swallowed(conn: Connection) -> None:
    try:
        conn.execute(LOSE)
    except Exception:  # noqa: BLE001 - the statement after it is what counts
        conn.execute(select(1))


@pytest.mark.parametrize("work", [while_persons_are_read, within_a_savepoint, and_the_error_is_swallowed])
def test_a_lost_connection_is_tried_again_and_then_reported_as_busy(
    database: Engine, work: Callable[[Connection], None]
) -> None:
    attempts = []

    def once_or_twice(conn: Connection) -> None:
        attempts.append(conn)
        work(conn)

    with pytest.raises(Busy):
        transact(database, once_or_twice, attempts=2)
    assert len(attempts) == 2
    assert transact(database, lambda conn: conn.scalar(select(1))) == 1
