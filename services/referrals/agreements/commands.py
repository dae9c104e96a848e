"""An agreement is replaced, taken back or expires: whoever held something under it alone is shown nothing more."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from schemas import consent as events
from services.referrals import refusals
from services.referrals.agreements import rows as agreements
from services.referrals.agreements.rows import Kept
from services.referrals.agreements.rules import Consent, Holder, uncovered
from services.referrals.deadlines import rows as deadlines
from services.referrals.directory import rows as directory
from services.referrals.persons import rows as persons
from services.referrals.persons.commands import give_consent, own
from services.referrals.persons.rows import Person
from services.referrals.work import Work


def give(
    work: Work,
    named: UUID,
    consent: Consent,
    channel: str,
    evidence_ref: str | None,
    on: date | None = None,
    replaces: UUID | None = None,
) -> UUID:
    """Record what a person agreed to. replaces: an agreement that it stands in for, narrower or wider.

    Raises Problem 404, 422.
    """
    person = own(work, named)
    old = _standing(work, person, replaces) if replaces else None
    consent_id = give_consent(work, person, consent, channel, evidence_ref, on)
    if old:
        work.write()  # the old one names the new one, and holders are told by what stands
        agreements.end(work.conn, old.consent_id, "withdrawn", work.call.now, consent_id)
        deadlines.end(work.conn, old.consent_id)
        _say(work, person, old, events.WithdrawnV1)
    return consent_id


def withdraw(work: Work, named: UUID, consent_id: UUID) -> None:
    """Take an agreement back; a second time changes nothing. Raises Problem 404."""
    person = own(work, named)
    kept = agreements.found(work.conn, consent_id)
    if kept is None or kept.ref != person.ref:
        raise refusals.not_found("consent")
    if kept.standing:
        agreements.end(work.conn, consent_id, "withdrawn", work.call.now)
        deadlines.end(work.conn, consent_id)
        _say(work, person, kept, events.WithdrawnV1)


def expire_consent(work: Work, consent_id: UUID) -> bool:
    """Say that an agreement's last day is over, as the hub; False if there is nothing to say (any more, or yet)."""
    kept = agreements.found(work.conn, consent_id)
    person = persons.by_ref(work.conn, kept.ref, lock=True) if kept else None
    kept = agreements.found(work.conn, consent_id)  # as it is under the lock
    if kept is None or person is None or not kept.standing:
        return False
    if kept.consent.expires_on is None or kept.consent.expires_on >= work.call.today:
        return False
    agreements.end(work.conn, consent_id, "expired", work.call.now)
    _say(work, work.meet(person), kept, events.ExpiredV1)
    return True


def holding(holder: Holder) -> events.Holding:
    """A holder as an event names it."""
    return events.Holding(
        partner=holder.partner,
        contact=holder.contact,
        references=holder.references,
        as_employer=holder.employer,
    )


def _standing(work: Work, person: Person, consent_id: UUID) -> Kept:
    kept = agreements.found(work.conn, consent_id)
    if kept is None or kept.ref != person.ref or not kept.standing:
        raise refusals.invalid("replaces", "the person has no such agreement that stands")
    return kept


def _say(work: Work, person: Person, ended: Kept, kind: type[events.ConsentEnded]) -> None:
    convention = directory.convention(work.conn, ended.consent.convention_id) if ended.consent.convention_id else None
    holders, trial = agreements.holders(work.conn, person.ref, person.home)
    told = uncovered(
        holders,
        ended.consent,
        frozenset(convention["parties"]) if convention else frozenset(),
        persons.consents(work.conn, person.ref),
        directory.signed_of(work.conn, person.home),
        work.call.today,
    )
    event = kind(
        consent_id=ended.consent_id,
        home=person.home,
        partners=tuple(holder.partner for holder in told),
        holdings=tuple(holding(holder) for holder in told),
        trial=trial,
    )
    work.record(person.ref, event)
