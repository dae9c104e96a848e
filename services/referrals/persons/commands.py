"""Persons and what they agreed to: the home partner's to write."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

from jalons.clock import new_id, new_ref
from jalons.database import pipelined
from schemas import beneficiary as events
from schemas import consent as consents
from services.referrals import refusals
from services.referrals.agreements import rows as agreements
from services.referrals.agreements.rules import Consent
from services.referrals.deadlines import rows as deadlines
from services.referrals.deadlines.rows import Waiting
from services.referrals.deadlines.rules import Deadline, at_end_of
from services.referrals.directory import rows as directory
from services.referrals.directory.rules import valid
from services.referrals.persons import rows as persons
from services.referrals.persons.rows import Person
from services.referrals.persons.rules import check_accompanied
from services.referrals.work import Work


def register(work: Work, profile: Mapping[str, Any], local_ref: str | None, on: date | None = None) -> Person:
    """A person is accompanied by the caller from now on. Written, it raises LocalRefTaken."""
    home = active_partners(work, {"partner": work.call.partner})[work.call.partner]
    return add(work, profile, local_ref, on, trial=home["trial"])


def add(work: Work, profile: Mapping[str, Any], local_ref: str | None, on: date | None, *, trial: bool) -> Person:
    """As `register`, for a caller that is known to be active. trial: whether it is a trial partner."""
    home, ref = work.call.partner, new_ref()
    person = Person(ref, home, local_ref, dict(profile), 1, work.call.now, work.keys.make(ref))
    persons.add(work.rows, person)
    work.stand({ref: ([], 0)})
    sealed = events.SealedProfile.model_validate({"profile": profile})
    work.record(person.ref, events.RegisteredV1(home=home, profile_version=1, trial=trial), sealed, on)
    if local_ref:
        work.dossiers[home, local_ref] = ref
    return work.meet(person)


def registered_or_known(
    work: Work, profile: Mapping[str, Any], local_ref: str | None, on: date | None, *, trial: bool
) -> Person:
    """The caller's person of that dossier number, their bands brought up to date, else a new one."""
    known = of_dossier(work, local_ref) if local_ref else None
    if known is None:
        return add(work, profile, local_ref, on, trial=trial)
    return update_profile(work, known.ref, profile, on)


def of_dossier(work: Work, local_ref: str) -> Person | None:
    """The caller's person of a dossier number, locked, whom it registered in this transaction too."""
    home = work.call.partner
    if (home, local_ref) not in work.dossiers:
        found = persons.by_local_ref(work.conn, home, local_ref, lock=True)
        work.dossiers[home, local_ref] = work.meet(found).ref if found else None
    ref = work.dossiers[home, local_ref]
    return work.known[str(ref)] if ref else None


def ask_for(work: Work, named: Collection[tuple[str, Mapping[str, Any]]]) -> None:
    """Lock at once the home partners' own persons whom these referrals name, and ask what decides about them, and about
    those who exchange them.

    named: (home partner, what the call gives). Who is not found is left for its own call to refuse, or to register.
    """
    wanted = {(home, each.get("beneficiary"), (each.get("person") or {}).get("local_ref")) for home, each in named}
    work.dossiers |= {(home, local_ref): None for home, _, local_ref in wanted if local_ref}
    pairs = sorted({(home, each["recipient"]) for home, each in named if each.get("recipient")})
    with pipelined(work.conn):
        asked = persons.of_homes(work.conn, sorted(wanted, key=str))
    found, standing = asked()
    for person in found:
        work.meet(person)
        if person.local_ref:
            work.dossiers[person.home, person.local_ref] = person.ref
    work.stand(standing)
    work.looked |= {(directory.exchange, pair): directory.exchange(work.conn, *pair) for pair in pairs}


def update_profile(work: Work, named: UUID, profile: Mapping[str, Any], on: date | None = None) -> Person:
    """New bands; the same ones change nothing."""
    person = own(work, named)
    if person.profile == dict(profile):
        return person
    if work.last.get(str(person.ref)) == 0:
        work.write()  # the person is one of this transaction's own
    profile_version, version = persons.set_profile(work.conn, person.ref, profile)
    sealed = events.SealedProfile.model_validate({"profile": profile})
    work.record(person.ref, events.ProfileUpdatedV1(home=person.home, profile_version=profile_version), sealed, on)
    return work.meet(replace(person, profile=dict(profile), profile_version=profile_version, version=version))


def own(work: Work, named: UUID) -> Person:
    """The caller's own person, locked. Raises Problem 404, also for one known by an alias."""
    met = work.known.get(str(named))
    person = met or persons.find(work.conn, named, work.call.partner, lock=True)
    if person is None or person.home != work.call.partner:
        raise refusals.not_found("beneficiary")
    return work.meet(person)


def known(work: Work, named: UUID) -> Person:
    """A person the caller knows, by ref or alias, locked. Raises Left and Problem 404."""
    person = persons.find(work.conn, named, work.call.partner, lock=True)
    if person is None:
        raise refusals.not_found("beneficiary")
    check_accompanied(person.status)
    return work.meet(person)


def give_consent(
    work: Work, person: Person, consent: Consent, channel: str, evidence_ref: str | None, on: date | None = None
) -> UUID:
    """Record what a person agreed to. Raises Problem 422 for an unknown partner or convention."""
    if consent.partners - work.look(directory.partners_of, consent.partners).keys():
        raise refusals.unknown_partner("partners")
    if consent.convention_id and directory.convention(work.conn, consent.convention_id) is None:
        raise refusals.invalid("convention_id", "there is no such convention")
    if consent.expires_on and consent.expires_on < work.call.today:
        raise refusals.invalid("expires_on", "in the past")
    consent_id = new_id()
    work.consents(person.ref).append(consent)
    persons.add_consent(work.rows, consent_id, person.ref, consent, channel, evidence_ref, work.call.now)
    if consent.expires_on:
        waiting = Waiting("consent", consent_id, person.ref, "end")
        deadlines.begin(work.rows, waiting, work.call.id, [Deadline("expire", at_end_of(consent.expires_on))])
    event = consents.GivenV1.model_validate(
        {
            "consent_id": consent_id,
            "home": person.home,
            "partners": sorted(consent.partners),
            "convention_id": consent.convention_id,
            "purposes": sorted(consent.purposes),
            "expires_on": consent.expires_on,
            "restored": _restored(work, person, consent),
        }
    )
    sealed = consents.GivenSealed.model_validate({"attributes": sorted(consent.attributes), "channel": channel})
    work.record(person.ref, event, sealed, on)
    return consent_id


def _restored(work: Work, person: Person, consent: Consent) -> list[str]:
    """The holders that an agreement for a convention's parties covers."""
    convention = directory.convention(work.conn, consent.convention_id) if consent.convention_id else None
    if convention is None:
        return []
    holders, _ = agreements.holders(work.conn, person.ref, person.home)
    return [holder.partner for holder in holders if holder.partner in convention["parties"]]


def active_partners(work: Work, named: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The rows of partners that may exchange now, by slug. named: by the field each stands in.

    Raises Problem 422 for an unknown one, 409 for one not active.
    """
    return check_active(named, directory.partners_of(work.conn, set(named.values())), work.call.today)


def check_active(named: Mapping[str, str], known: dict[str, dict[str, Any]], on: date) -> dict[str, dict[str, Any]]:
    """The rows, if each partner named may exchange now. Raises as `active_partners`."""
    for at, slug in named.items():
        if slug not in known:
            raise refusals.unknown_partner(at)
        if known[slug]["status"] != "active" or not valid(known[slug], on):
            raise refusals.not_active(slug)
    return known
