"""A person's accompaniment rests, goes on or ends: the home partner's to say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

from services.referrals.codes.commands import resolved
from services.referrals.persons import rows as persons
from services.referrals.persons import rules as accompaniment
from services.referrals.persons.commands import own
from services.referrals.persons.rows import Person
from services.referrals.work import Work


def step(work: Work, named: UUID, action: str, given: Mapping[str, Any], on: date | None = None) -> Person:
    """One action of the table. Raises NotAllowed, NotGiven, InTheFuture, Stale, and Problem 404."""
    given = resolved(work, action, given)
    person = own(work, named)
    work.expect(person.version)
    status, event, sealed = accompaniment.decide(action, person.status, person.home, given)
    work.record(person.ref, event, sealed, on)
    left_on = (on or work.call.today) if status == "left" else None
    version = persons.set_status(work.conn, person.ref, status, left_on)
    return replace(person, status=status, version=version, left_on=left_on)
