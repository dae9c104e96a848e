"""Records, replaces, withdraws and expires agreements; partners that only the ended one covered are told of its end."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

from jalons.clock import random_id
from schemas import consent as events
from services.referrals import refusals
from services.referrals.agreements import lapses
from services.referrals.agreements import rows as agreements
from services.referrals.agreements.rows import StoredConsent
from services.referrals.agreements.rules import Consent, Holder, uncovered
from services.referrals.deadlines import rows as deadlines
from services.referrals.deadlines.rows import DeadlineSubject
from services.referrals.deadlines.rules import LAPSE_DAYS, ending
from services.referrals.deadlines.working_days import after_working_days
from services.referrals.directory import rows as directory
from services.referrals.persons import rows as persons
from services.referrals.persons.commands import own
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
    """Record what a person agreed to. replaces: a standing agreement that it replaces, narrower or wider.

    Raises OutOfOrder and Problem 404, 422.
    """
    person = own(work, named)
    old = _standing(work, person, replaces) if replaces else None
    consent_id = give_consent(work, person, consent, channel, evidence_ref, on)
    if old:
        _end(work, person, old, replaced_by=consent_id)
    return consent_id


def give_consent(
    work: Work, person: Person, consent: Consent, channel: str, evidence_ref: str | None, on: date | None = None
) -> UUID:
    """Record what a locked person agreed to. Raises OutOfOrder, and Problem 422 for an unknown partner or convention,
    or a last day in the past."""
    if consent.partners - directory.partners_of(work.conn, consent.partners).keys():
        raise refusals.unknown_partner("partners")
    _parties(work, consent)
    if consent.expires_on and consent.expires_on < work.call.today:
        raise refusals.invalid("expires_on", "in the past")
    consent_id = random_id()
    agreements.add_consent(work.conn, consent_id, person.ref, consent, channel, evidence_ref, work.call.now)
    if consent.expires_on:
        subject = DeadlineSubject("consent", consent_id, person.ref, "end")
        deadlines.begin(work.conn, subject, work.call.id, ending(consent.expires_on, work.call.today))
    seen = lapses.settle(work, person) if agreements.has_uncovered(work.conn, person.ref) else None
    event = events.GivenV1.model_validate(
        {
            "consent_id": consent_id,
            "home": person.home,
            "partners": sorted(consent.partners),
            "convention_id": consent.convention_id,
            "purposes": sorted(consent.purposes),
            "expires_on": consent.expires_on,
            "restored": seen.back if seen else (),
        }
    )
    sealed = events.GivenSealed.model_validate({"attributes": sorted(consent.attributes), "channel": channel})
    work.record(person.ref, event, sealed, on)
    return consent_id


def withdraw(work: Work, named: UUID, consent_id: UUID) -> None:
    """Withdraw an agreement, also one that has expired; a second time changes nothing. Raises Problem 404."""
    person = own(work, named)
    stored = agreements.find_consent(work.conn, consent_id)
    if stored is None or stored.ref != person.ref:
        raise refusals.not_found("consent")
    if not stored.withdrawn:
        _end(work, person, stored)


def expire_consent(work: Work, consent_id: UUID) -> bool:
    """Record, as the hub, that an agreement's last day is over; False if it ended before or has not expired yet."""
    stored = agreements.find_consent(work.conn, consent_id)
    person = persons.by_ref(work.conn, stored.ref, lock=True) if stored else None
    stored = agreements.find_consent(work.conn, consent_id)  # read again under the person's lock
    if stored is None or person is None or not stored.standing:
        return False
    if stored.consent.expires_on is None or stored.consent.expires_on >= work.call.today:
        return False
    agreements.end_consent(work.conn, consent_id, "expired", work.call.now)
    _record_end(work, person, stored, events.ExpiredV1)
    return True


def ask_to_renew(work: Work, consent_id: UUID, number: int) -> None:
    """Ask the home partner, as the hub, about an agreement that ends and on which open acts depend."""
    stored = agreements.find_consent(work.conn, consent_id)
    person = persons.by_ref(work.conn, stored.ref, lock=True) if stored else None
    if stored is None or person is None or not stored.standing or stored.consent.expires_on is None:
        return
    ends_on, ended = stored.consent.expires_on, stored.consent
    others = agreements.consents_of(work.conn, person.ref, but=consent_id)
    holders, trial = agreements.holders(work.conn, person.ref, person.home)
    signed = directory.signed_of(work.conn, person.home)
    after = ends_on + timedelta(days=1)
    affected = uncovered(holders, ended, _parties(work, ended), others, signed, after)
    depending = lapses.open_holdings(work, person, affected)
    if not depending:
        return
    event = events.RenewalDueV1(
        consent_id=consent_id,
        home=person.home,
        ends_on=ends_on,
        number=number,
        cancelled_on=after_working_days(ends_on, LAPSE_DAYS),
        partners=tuple(each.partner for each in depending),
        holdings=tuple(holding(each) for each in depending),
        trial=trial,
    )
    work.record(person.ref, event)


def settle_person(work: Work, ref: UUID) -> None:
    """Bring a person's acts in line, as the hub, with the conventions as they are now."""
    person = persons.by_ref(work.conn, ref, lock=True)
    if person is None:
        return
    seen = lapses.survey(work, person)
    holders, trial = agreements.holders(work.conn, ref, person.home)
    if lost := [holder for holder in holders if holder.partner in seen.lost]:
        held = tuple(holding(each) for each in lost)
        partners = tuple(each.partner for each in lost)
        work.record(ref, events.LapsedV1(home=person.home, partners=partners, holdings=held, trial=trial))
    if seen.back:
        work.record(ref, events.RestoredV1(home=person.home, partners=seen.back, trial=trial))
    lapses.apply(work, seen)
    deadlines.end(work.conn, ref)


def holding(holder: Holder) -> events.Holding:
    """A holder as events name it."""
    return events.Holding(
        partner=holder.partner,
        contact=holder.contact,
        references=holder.references,
        act=holder.act,
        as_employer=holder.employer,
    )


def _standing(work: Work, person: Person, consent_id: UUID) -> StoredConsent:
    stored = agreements.find_consent(work.conn, consent_id)
    if stored is None or stored.ref != person.ref or not stored.standing:
        raise refusals.invalid("replaces", "the person has no such agreement that stands")
    return stored


def _parties(work: Work, consent: Consent) -> frozenset[str]:
    """The parties of the convention that an agreement names; empty if it names none. Raises Problem 422."""
    if consent.convention_id is None:
        return frozenset()
    convention = directory.convention(work.conn, consent.convention_id)
    if convention is None:
        raise refusals.invalid("convention_id", "there is no such convention")
    return frozenset(convention["parties"])


def _end(work: Work, person: Person, stored: StoredConsent, replaced_by: UUID | None = None) -> None:
    agreements.end_consent(work.conn, stored.consent_id, "withdrawn", work.call.now, replaced_by)
    deadlines.end(work.conn, stored.consent_id)
    _record_end(work, person, stored, events.WithdrawnV1)


def _record_end(work: Work, person: Person, ended: StoredConsent, kind: type[events.ConsentEnded]) -> None:
    """Record that an agreement ended, naming the holders that nothing covers any more, and settle its acts."""
    seen = lapses.survey(work, person)
    holders, trial = agreements.holders(work.conn, person.ref, person.home)
    affected = uncovered(
        holders,
        ended.consent,
        _parties(work, ended.consent),
        agreements.consents_of(work.conn, person.ref),
        directory.signed_of(work.conn, person.home),
        work.call.today,
    )
    affected += [holder for holder in holders if holder.partner in seen.lost and holder not in affected]
    event = kind(
        consent_id=ended.consent_id,
        home=person.home,
        partners=tuple(holder.partner for holder in affected),
        holdings=tuple(holding(holder) for holder in affected),
        trial=trial,
    )
    work.record(person.ref, event)
    lapses.apply(work, seen)
