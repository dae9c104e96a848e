"""Works imports off, one row a transaction: after a kill it goes on, and no row is ever imported twice."""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from jalons import clock
from jalons.database import Busy, transact, transient
from jalons.messaging.outcomes import where
from jalons.privacy.sealing import derive, seal, unseal
from jalons.process.parts import Heartbeat, Part
from jalons.process.wiring import Ground
from jalons.web.identity import Principal
from jalons.web.problems import Problem
from services.referrals.acts.sending import send_referral
from services.referrals.directory.rows import lock_name
from services.referrals.imports import rows as store
from services.referrals.imports.rows import Import, PendingRow, RowOutcome
from services.referrals.persons.keys import PersonKeys
from services.referrals.refusals import REFUSALS
from services.referrals.work import Call, Hub, Work

log = logging.getLogger(__name__)

POLL_SECONDS = 5.0
"""How often the importer looks for imports that another process took on."""


def key_of(secret: str) -> bytes:
    """The key that pending rows are sealed with. secret: the hub's."""
    return derive(secret, "imports")


def pending(key: bytes, new: Import, number: int, body: bytes) -> PendingRow:
    """A row as it is stored until it is imported: sealed, with a fingerprint that is the same in every file."""
    fingerprint = hmac.digest(key, b"\n".join((new.partner.encode(), body)), hashlib.sha256)
    return PendingRow(number, fingerprint, seal(key, body, f"{new.id} {number}"))


class Importer:
    """Imports pending rows in the background. Any number of processes may run one; an import is worked on by one.

    key: what pending rows are sealed with. form: parses a row's content into the fields of `POST /referrals`.
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
        self.part = Part("imports", self._run)

    def wake(self) -> None:
        """Look for new imports now."""
        self.part.wakeup.set()

    def step(self) -> bool:
        """Import one row, or finish an import that has none left; False if there is nothing to do. Raises Busy."""
        return transact(self._ground.engine, self._one)

    def _one(self, conn: Connection) -> bool:
        found = store.oldest(conn)
        if found is None:
            return False
        row = store.next_pending(conn, found.id)
        if row is None:
            store.finish(conn, found.id, self._now())
        else:
            store.settle(conn, found.id, self._outcome(conn, found, row))
        return True

    def _outcome(self, conn: Connection, found: Import, row: PendingRow) -> RowOutcome:
        """Import a row. A row that is refused or fails leaves nothing behind but its outcome; only a passing trouble of
        the database is raised, and the row is tried again."""
        try:
            with conn.begin_nested() as savepoint:
                outcome = self._imported(conn, found, row)
                if found.dry_run:
                    savepoint.rollback()
                return outcome
        except Exception as error:
            if isinstance(error, Busy) or transient(error):
                raise
            return _refusal(row.number, error)

    def _imported(self, conn: Connection, found: Import, row: PendingRow) -> RowOutcome:
        lock_name(conn, "imported row", row.fingerprint.hex())  # the same row may be in another import
        before = store.imported_as(conn, found.partner, row.fingerprint)
        if before is not None:
            return RowOutcome(row.number, "already_done", before)
        principal = Principal(found.client_id, found.partner, frozenset({"partner"}))
        work = Work(conn, Call(clock.new_id(), principal, self._now()), Hub.of(self._ground, self._keys))
        body = self._form(unseal(self._key, row.given, f"{found.id} {row.number}"))
        reference = send_referral(work, body).reference
        work.append()
        store.keep_imported(conn, found.partner, row.fingerprint, reference)
        return RowOutcome(row.number, "done", reference)

    def _run(self, heartbeat: Heartbeat) -> None:
        while not heartbeat.stopping.is_set():
            if self.step():
                heartbeat.beat()
            else:
                heartbeat.sleep(POLL_SECONDS)


def _refusal(number: int, error: Exception) -> RowOutcome:
    """The outcome of a row that raised this. An unforeseen error is shown by its place in the code only: its text may
    hold what stood in the row."""
    if type(error) in REFUSALS:
        error = REFUSALS[type(error)](error)
    if not isinstance(error, Problem):
        log.error("row %d of an import failed: %s", number, where(error))
        error = Problem(
            500,
            "unexpected",
            f"The hub failed on this row in a way nobody foresaw ({where(error)}).",
            "Import the file again later; tell the hub's operator if it stays.",
        )
    return RowOutcome(number, "refused", None, error.code, error.detail, error.cure)
