"""A person's record and status: only the home partner writes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

from jalons.clock import random_id
from jalons.privacy.opaque_codes import new_dossier_code
from schemas import beneficiary as events
from services.referrals import refusals
from services.referrals.acts.dates import in_order
from services.referrals.codes.commands import resolved
from services.referrals.directory.parties import acting_party
from services.referrals.persons import rows as persons
from services.referrals.persons import rules
from services.referrals.persons.rows import Person
from services.referrals.work import Work


def register(work: Work, profile: Mapping[str, Any], local_ref: str | None, on: date | None = None) -> Person:
    """Register a person whom the caller accompanies from now on. Raises LocalRefTaken, NotActive and OutOfOrder."""
    return add(work, profile, local_ref, on, trial=acting_party(work).trial)


def add(work: Work, profile: Mapping[str, Any], local_ref: str | None, on: date | None, *, trial: bool) -> Person:
    """As `register`, for a caller known to be active. trial: whether it is a trial partner. Without a dossier number of
    the caller's own, the person has a spoken one of the hub's."""
    home, ref = work.call.partner, random_id()
    happened_on = in_order({"happened_on": on}, work.call.today)
    keys, number = work.hub.keys, local_ref or new_dossier_code()
    person = Person(ref, home, number, dict(profile), 1, work.call.now, keys.make(ref), last_on=happened_on)
    persons.add(work.conn, person)
    sealed = events.SealedProfile.model_validate({"profile": profile})
    work.record(ref, events.RegisteredV1(home=home, profile_version=1, trial=trial), sealed, happened_on)
    return person


def registered_or_known(
    work: Work, profile: Mapping[str, Any], local_ref: str | None, on: date | None, *, trial: bool
) -> Person:
    """The caller's person under this dossier number, with the profile updated; a new person if there is none."""
    known = persons.by_local_ref(work.conn, work.call.partner, local_ref, lock=True) if local_ref else None
    if known is None:
        return add(work, profile, local_ref, on, trial=trial)
    return update_profile(work, known, profile, on)


def update_profile(work: Work, person: Person, profile: Mapping[str, Any], on: date | None = None) -> Person:
    """Replace the profile of a locked person. An equal profile changes nothing and records no event."""
    if person.profile == dict(profile):
        return person
    profile_version, version = persons.set_profile(work.conn, person.ref, profile)
    sealed = events.SealedProfile.model_validate({"profile": profile})
    work.record(person.ref, events.ProfileUpdatedV1(home=person.home, profile_version=profile_version), sealed, on)
    return replace(person, profile=dict(profile), profile_version=profile_version, version=version)


def step(work: Work, named: UUID, action: str, given: Mapping[str, Any], on: date | None = None) -> Person:
    """Pause, resume or end a person's accompaniment, as the table in `rules.py` allows.

    Raises NotAllowed, NotGiven, OutOfOrder, Stale, and Problem 404.
    """
    given = resolved(work, action, given)
    person = own(work, named)
    work.expect(person.version)
    status, event, sealed = rules.decide(action, person.status, person.home, given)
    happened_on = in_order({"happened_on": on}, work.call.today, person.last_on)
    left_on = happened_on if status == "left" else None
    version = persons.set_status(work.conn, person.ref, status, left_on, happened_on)
    work.record(person.ref, event, sealed, happened_on)
    return replace(person, status=status, version=version, left_on=left_on, last_on=happened_on)


def own(work: Work, named: UUID) -> Person:
    """The caller's own person by the ref, locked. Raises Problem 404, also for a person it knows by an alias."""
    person = persons.find(work.conn, named, work.call.partner, lock=True)
    if person is None or person.home != work.call.partner:
        raise refusals.not_found("beneficiary")
    return person


def known(work: Work, named: UUID) -> Person:
    """A person the caller knows, by ref or alias, locked. Raises Left and Problem 404."""
    person = persons.find(work.conn, named, work.call.partner, lock=True)
    if person is None:
        raise refusals.not_found("beneficiary")
    rules.check_accompanied(person.status)
    return person
