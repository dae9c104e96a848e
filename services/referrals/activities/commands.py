"""Any partner that knows a person may record the person's own activity, which ends the accompaniment towards it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from jalons.clock import random_id
from services.referrals import refusals
from services.referrals.activities.rows import ACTIVITIES
from services.referrals.activities.rules import Activity, accompaniment, created, in_progress
from services.referrals.acts.dates import in_order
from services.referrals.acts.rows import TRAININGS
from services.referrals.acts.rules import Training
from services.referrals.directory.parties import acting_party
from services.referrals.persons.commands import known
from services.referrals.persons.rows import Person
from services.referrals.work import Work


def create(work: Work, given: Mapping[str, Any]) -> Activity:
    """Store an activity of a person. The operator still completes the training it came from.

    Raises NotActive, Left, OutOfOrder and Problem 404, 422.
    """
    trial = acting_party(work).trial
    happened_on = in_order(given, work.call.today)
    person = known(work, given["beneficiary"])
    came_from = _came_from(work, person, given.get("training_id"))
    activity = Activity(
        activity_id=random_id(),
        ref=person.ref,
        home=person.home,
        said_by=work.call.partner,
        on=given["on"],
        form=given["form"],
        training_id=came_from.id if came_from else None,
        trial=trial,
    )
    event, sealed = created(activity, came_from)
    work.record(person.ref, event, sealed, happened_on)
    ACTIVITIES.add(work.conn, activity, work.call.now)
    return activity


def _came_from(work: Work, person: Person, named: UUID | str | None) -> Training | None:
    """The accompaniment that the call names, else the one in progress. Raises Problem 422."""
    if named is None:
        return accompaniment(TRAININGS.of_person(work.conn, person.ref), work.call.partner)
    training = TRAININGS.find(work.conn, named)
    if training is None or training.ref != person.ref or not in_progress(training, work.call.partner):
        raise refusals.invalid("training_id", "there is no such accompaniment of this person under way")
    return training
