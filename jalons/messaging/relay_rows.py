"""The relay's statements on the outbox.

Plain psycopg and static SQL: they run on the direct connection that holds the relay's lock, so that a relay that has
lost the lock can mark nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from jalons.postgres import Direct, try_session_lock


class Row(NamedTuple):
    """An event as it is sent. appended: its place in the order of sending."""

    appended: int
    subject: str
    topic: str
    type: str
    value: bytes


def try_relay_lock(conn: Direct) -> bool:
    """Take the lock of this schema's relay until the connection closes; False if another relay holds it."""
    row = conn.execute("SELECT current_schema()").fetchone()
    return try_session_lock(conn, f"relay {row[0] if row else ''}")


def last_position(conn: Direct) -> int:
    """The last position given; 0 when nothing was sent yet."""
    row = conn.execute("SELECT coalesce(max(position), 0) FROM events").fetchone()
    return int(row[0]) if row else 0


def unsent(conn: Direct, most: int) -> list[Row]:
    """The first events without a position, in the order they were appended.

    A lower number may become visible late, but never after a higher one of the same subject: appending locks the
    subject.
    """
    found = conn.execute(
        "SELECT appended, subject, topic, type, value FROM events WHERE position IS NULL ORDER BY appended LIMIT %s",
        (most,),
        binary=True,
    )
    return [Row(*row) for row in found]


def mark(conn: Direct, rows: Sequence[Row], position: int) -> int:
    """Give sent events the positions after `position`, in the order sent; how many were still unmarked.

    All become visible at once, so that a reader of `after=` misses none. The range on `appended` keeps the planner
    from scanning everything that waits.
    """
    appended = [row.appended for row in rows]
    return conn.execute(
        "UPDATE events SET position = %s + k.nth FROM unnest(%s::bigint[]) WITH ORDINALITY AS k(appended, nth)"
        " WHERE events.position IS NULL AND events.appended = k.appended AND events.appended BETWEEN %s AND %s",
        (position, appended, appended[0], appended[-1]),
    ).rowcount


def waiting(conn: Direct, now: datetime) -> tuple[int, float]:
    """How many events are unsent, and the age of the oldest in seconds."""
    row = conn.execute(
        "SELECT count(*), coalesce(extract(epoch FROM %s - min(recorded)), 0)::float8"
        " FROM events WHERE position IS NULL",
        (now,),
    ).fetchone()
    return (row[0], max(0.0, row[1])) if row else (0, 0.0)


def sent(conn: Direct, first: int, last: int, most: int) -> Iterator[list[Row]]:
    """The events at positions first to last, both included, in batches."""
    with conn.transaction(), conn.cursor(name="republish") as rows:
        rows.execute(
            "SELECT appended, subject, topic, type, value FROM events WHERE position BETWEEN %s AND %s"
            " ORDER BY position",
            (first, last),
        )
        while batch := rows.fetchmany(most):
            yield [Row(*row) for row in batch]
