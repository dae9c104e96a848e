"""Works imports off, one row a transaction: after a kill it goes on, and no row is ever imported twice."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from jalons import clock
from jalons.database import Busy, transact, transient
from jalons.messaging.outcomes import where
from jalons.privacy.disclosure import Alias
from jalons.privacy.sealing import derive, seal, unseal
from jalons.process.parts import Heartbeat, Part
from jalons.process.wiring import Ground
from jalons.web.identity import Principal
from jalons.web.problems import Problem
from services.referrals.acts.rows import REFERRALS
from services.referrals.acts.sending import send_referral
from services.referrals.agreements import rows as agreements
from services.referrals.directory.rows import lock_name
from services.referrals.imports import checking
from services.referrals.imports import rows as store
from services.referrals.imports.rows import Import, PendingRow, RowOutcome
from services.referrals.imports.sheet import Fault, Row
from services.referrals.imports.vocabulary import Vocabulary
from services.referrals.persons import rows as persons
from services.referrals.persons.keys import PersonKeys
from services.referrals.refusals import REFUSALS
from services.referrals.work import Call, Hub, Work

log = logging.getLogger(__name__)

_NO_DOSSIER = ("missing", "local_ref")
POLL_SECONDS = 5.0
"""How often the importer looks for imports that another process took on."""


def key_of(secret: str) -> bytes:
    """The key that pending rows are sealed with. secret: the hub's."""
    return derive(secret, "imports")


def pending(key: bytes, alias: Alias, new: Import, row: Row) -> PendingRow:
    """A row as it is stored until it is imported: sealed."""
    named = row.texts.get("local_ref")
    body = seal(key, checking.content(row), f"{new.id} {row.number}")
    return PendingRow(row.number, store.dossier(alias, new.partner, named) if named else None, body)


class Importer:
    """Imports pending rows in the background. Any number of processes may run one; an import is worked on by one.

    key: what pending rows are sealed with.
    """

    def __init__(
        self,
        ground: Ground,
        keys: PersonKeys,
        key: bytes,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self._ground = ground
        self._keys = keys
        self._key = key
        self._now = now
        self._vocabulary: tuple[UUID, Vocabulary] | None = None
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
        given = checking.stored(unseal(self._key, row.given, f"{found.id} {row.number}"))
        if reference := checking.returned(given):
            return _returned(conn, found.partner, reference, given, self._words(conn, found))
        body, faults = checking.checked(given, self._words(conn, found))
        if faults:
            code = "local_ref_missing" if [(each.code, each.field) for each in faults] == [_NO_DOSSIER] else "invalid"
            return RowOutcome(row.number, "refused", code=code, faults=checking.as_json(faults))
        principal = Principal(found.client_id, found.partner, frozenset({"partner"}))
        work = Work(conn, Call(clock.new_id(), principal, self._now()), Hub.of(self._ground, self._keys))
        if settled := _known(work, row, body):
            return settled
        reference = send_referral(work, body).reference
        work.append()
        return RowOutcome(row.number, "done", None if found.dry_run else reference)

    def _words(self, conn: Connection, found: Import) -> Vocabulary:
        """What texts mean, read once for an import."""
        if self._vocabulary is None or self._vocabulary[0] != found.id:
            self._vocabulary = (found.id, store.vocabulary(conn))
        return self._vocabulary[1]

    def _run(self, heartbeat: Heartbeat) -> None:
        while not heartbeat.stopping.is_set():
            if self.step():
                heartbeat.beat()
            else:
                heartbeat.sleep(POLL_SECONDS)


def _returned(conn: Connection, partner: str, reference: str, given: Row, words: Vocabulary) -> RowOutcome:
    """The outcome of a row with a reference, as an exported table has it: compared with that referral, never sent."""
    act = REFERRALS.find(conn, reference)
    if act is None or partner not in {act.home, act.referrer, act.recipient}:
        faults = checking.as_json([Fault("no_reference", "ref")])
        return RowOutcome(given.number, "refused", code="invalid", faults=faults)
    if act.facts.get("erased"):
        return RowOutcome(given.number, "refused", code="person_erased", faults=[])
    local_ref = persons.local_refs(conn, partner, {act.ref}).get(act.ref)
    differs = checking.changed(act, local_ref, given, words) if act.referrer == partner else []
    if differs:
        return RowOutcome(given.number, "refused", reference, "differs", faults=differs)
    return RowOutcome(given.number, "already_done", reference)


def _known(work: Work, row: PendingRow, body: Mapping[str, Any]) -> RowOutcome | None:
    """The outcome of a row whose referral or person is on record, compared with them; None for what is new.

    Nothing on record is changed by a row: what differs is said.
    """
    local_ref, home = body["person"]["local_ref"], work.call.partner
    lock_name(work.conn, "dossier", f"{home} {local_ref}")  # it may be in another import
    person = persons.by_local_ref(work.conn, home, local_ref, lock=True)
    if person is None:
        if other := persons.same_number(work.conn, home, local_ref):
            faults = checking.as_json([Fault("leading_zeros", "local_ref", {"other": other})])
            return RowOutcome(row.number, "refused", code="invalid", faults=faults)
        erased = store.was_erased(work.conn, row.dossier)
        return RowOutcome(row.number, "refused", code="person_erased", faults=[]) if erased else None
    own = [act for act in REFERRALS.of_person(work.conn, person.ref) if act.referrer == home]
    if act := checking.same(own, body):
        differs = checking.differences(act, person.profile, agreements.consents_of(work.conn, person.ref), body)
        if not differs:
            return RowOutcome(row.number, "already_done", act.reference)
        return RowOutcome(row.number, "refused", act.reference, "differs", faults=differs)
    if differs := checking.other_profile(person.profile, body):
        return RowOutcome(row.number, "refused", code="profile_differs", faults=differs)
    return None


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
