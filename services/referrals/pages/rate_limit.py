"""A caller that makes too many attempts must wait, whether or not the next one would have been right.

Attempts are counted in the database, so that all processes have one limit together.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import Connection, case, select
from sqlalchemy.dialects.postgresql import insert

from services.referrals.tables import attempts


class RateLimit:
    """A limit on the attempts of each caller, within a time that begins with the first of them.

    name: of what is attempted. What is kept of a caller is a hash, for a day at most.
    """

    def __init__(self, name: str, most: int, seconds: float) -> None:
        self._name = name
        self._most = most
        self._within = timedelta(seconds=seconds)

    def spent(self, conn: Connection, caller: str, at: datetime) -> bool:
        """Whether a caller has no attempt left."""
        made = select(attempts.c.made).where(
            attempts.c.caller == self._key(caller), attempts.c.since > at - self._within
        )
        return (conn.execute(made).scalar() or 0) >= self._most

    def count(self, conn: Connection, caller: str, at: datetime) -> None:
        """Count an attempt."""
        first = insert(attempts).values(caller=self._key(caller), since=at, made=1)
        over = attempts.c.since <= at - self._within
        conn.execute(
            first.on_conflict_do_update(
                index_elements=[attempts.c.caller],
                set_={
                    "since": case((over, first.excluded.since), else_=attempts.c.since),
                    "made": case((over, 1), else_=attempts.c.made + 1),
                },
            )
        )

    def _key(self, caller: str) -> bytes:
        return hashlib.sha256(f"{self._name}\n{caller}".encode()).digest()
