"""An import is worked off in batches, each one commit: after a kill it goes on, and no row is ever done twice."""

from __future__ import annotations

import hashlib
import hmac
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import psycopg
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from jalons import clock
from jalons.database import Busy, transact
from jalons.privacy.sealing import derive, seal, unseal
from jalons.process.wiring import Ground
from jalons.web.identity import Principal
from jalons.web.problems import Problem
from services.referrals.acts.sending import send_referral
from services.referrals.imports import rows as store
from services.referrals.imports.rows import Import, Outcome, Waiting
from services.referrals.persons.keys import PersonKeys
from services.referrals.refusals import REFUSALS
from services.referrals.work import Call, Hub, Work

log = logging.getLogger(__name__)

BATCH = 50
"""Rows in one commit: a referral costs half as much as alone, and callers wait for no more than these."""
LOOK_SECONDS = 5.0
_REFUSED: tuple[type[Exception], ...] = (Problem, *REFUSALS)


def key_of(secret: str) -> bytes:
    """The key under which rows wait. secret: the hub's."""
    return derive(secret, "imports")


def waiting(key: bytes, new: Import, number: int, said: bytes) -> Waiting:
    """A row as it is kept until it is worked off: sealed, and known again whatever file it comes in."""
    mark = hmac.digest(key, b"\n".join((new.partner.encode(), said)), hashlib.sha256)
    return Waiting(number, mark, seal(key, said, f"{new.id} {number}"))


class Importer:
    """The part that works imports off, a batch a transaction. Any number of processes may run one each.

    key: under which rows wait; form: what a row said, as a call's body gives it.
    """

    def __init__(
        self,
        ground: Ground,
        keys: PersonKeys,
        key: bytes,
        form: Callable[[bytes], Mapping[str, Any]],
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self._ground = ground
        self._keys = keys
        self._key = key
        self._form = form
        self._now = now
        self._stopping = threading.Event()
        self._bell = threading.Event()
        self._thread = threading.Thread(target=self._run, name="imports", daemon=True)

    def start(self) -> None:
        """Begin; waits for the database by itself."""
        self._thread.start()

    def stop(self) -> None:
        """Ask for the end; a batch in hand is committed or not at all."""
        self._stopping.set()
        self._bell.set()

    def wake(self) -> None:
        """There is something new."""
        self._bell.set()

    def step(self) -> bool:
        """Work off one batch; False if nothing waits. Raises the database's errors, and Busy."""
        engine = self._ground.engine
        try:
            return transact(engine, lambda conn: self._batch(conn, BATCH))
        except _Refused:
            for _ in range(BATCH):
                if self._stopping.is_set() or not transact(engine, lambda conn: self._batch(conn, 1)):
                    break
            return True

    def _batch(self, conn: Connection, most: int) -> bool:
        """The next rows of the oldest import. With one row a refusal is its outcome; with more, it raises _Refused and
        they are taken one by one."""
        found = store.oldest(conn)
        if found is None:
            return False
        rows = store.waiting(conn, found.id, most)
        if not rows:
            store.finish(conn, found.id, self._now())
            return True
        try:
            with conn.begin_nested() as attempt:
                outcomes = self._worked_off(conn, found, rows)
                if found.dry_run:
                    attempt.rollback()
        except _REFUSED as error:
            if most > 1:
                raise _Refused from error
            outcomes = [_refusal(rows[0].number, error)]
        store.settle(conn, found.id, outcomes)
        return True

    def _worked_off(self, conn: Connection, found: Import, rows: Sequence[Waiting]) -> list[Outcome]:
        """Send the referral of each row that was not imported before, as a call of its own."""
        done = store.imported(conn, found.partner, [row.fingerprint for row in rows])
        new: dict[bytes, str] = {}
        outcomes = []
        for row in rows:
            before = done.get(row.fingerprint) or new.get(row.fingerprint)
            if before is None:
                new[row.fingerprint] = self._sent(conn, found, row)
            outcomes.append(Outcome(row.number, "already_done" if before else "done", before or new[row.fingerprint]))
        store.keep_imported(conn, found.partner, new)
        return outcomes

    def _sent(self, conn: Connection, found: Import, row: Waiting) -> str:
        """Send one row's referral and return its spoken reference."""
        principal = Principal(found.client_id, found.partner, frozenset({"partner"}))
        call = Call(clock.new_id(), principal, self._now())
        work = Work(conn, call, Hub.of(self._ground, self._keys))
        given = self._form(unseal(self._key, row.given, f"{found.id} {row.number}"))
        reference = send_referral(work, given).reference
        work.append()
        return reference

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                while not self._stopping.is_set() and self.step():
                    pass
                pause = LOOK_SECONDS
            except (SQLAlchemyError, psycopg.Error, Busy) as error:
                log.warning("imports wait: %s", type(error).__name__)
                pause = 1.0
            self._bell.wait(pause)
            self._bell.clear()


class _Refused(Exception):
    """A row of the batch is refused; nobody knows yet whether others are."""


def _refusal(number: int, error: BaseException) -> Outcome:
    problem = error if isinstance(error, Problem) else REFUSALS[type(error)](error)  # type: ignore[index]
    return Outcome(number, "refused", None, problem.code, problem.detail, problem.cure)
