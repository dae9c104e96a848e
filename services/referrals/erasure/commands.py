"""Erases a person: the key, the rows and the event, in one commit. It cannot be undone."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from sqlalchemy import Connection

from jalons.clock import random_id
from schemas.beneficiary import ErasedV1
from services.referrals.agreements import rows as agreements
from services.referrals.agreements.commands import holding
from services.referrals.erasure import rows as erasures
from services.referrals.erasure.rows import Leaver, Why
from services.referrals.erasure.rules import due
from services.referrals.imports import rows as imports
from services.referrals.persons import rows as persons
from services.referrals.persons.commands import own
from services.referrals.persons.rows import Person
from services.referrals.work import Work


def erase(work: Work, named: UUID) -> UUID:
    """Erase a person on request of the home partner; returns the receipt's id. Raises Stale and Problem 404."""
    person = own(work, named)
    work.expect(person.version)
    return _erase(work, person, "asked")


def erase_leaver(work: Work, leaver: Leaver) -> bool:
    """Erase a person whose retention is over; False if they were erased, or are accompanied again."""
    person = persons.by_ref(work.conn, leaver.ref, lock=True)
    if person is None or person.left_on is None or not due(person.left_on, leaver.months, work.call.today):
        return False
    _erase(work, person, "retention")
    return True


def erase_again(work: Work, ref: UUID) -> bool:
    """Erase a person whom a restored backup brought back; False if they are not there."""
    person = persons.by_ref(work.conn, ref, lock=True)
    if person is None:
        return False
    _erase(work, person, "restored")
    return True


def due_now(conn: Connection, today: date) -> list[Leaver]:
    """The persons whose retention is over, ordered by leaving date, oldest first."""
    return [leaver for leaver in erasures.leavers(conn, today) if due(leaver.left_on, leaver.months, today)]


def _erase(work: Work, person: Person, why: Why) -> UUID:
    receipt_id = random_id()
    holders, trial = agreements.holders(work.conn, person.ref, person.home)
    acts = erasures.destroy(work.conn, person.ref, work.call.now)
    erasures.keep_receipt(work.conn, receipt_id, person.home, work.call.now, why, acts, holders)
    if person.local_ref:
        imports.forget(work.conn, imports.dossier(work.hub.alias, person.home, person.local_ref), work.call.now)
    event = ErasedV1(
        home=person.home,
        receipt_id=receipt_id,
        partners=tuple(holder.partner for holder in holders),
        holdings=tuple(holding(holder) for holder in holders),
        trial=trial,
    )
    work.record(person.ref, event)
    return receipt_id
