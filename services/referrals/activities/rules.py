"""A person's own activity ends the accompaniment it came from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from schemas.activity import CreatedSealed, CreatedV1
from schemas.codes import ActivityForm
from services.referrals.acts.rules import Training

_IN_PROGRESS = frozenset({"started", "suspended"})


@dataclass(frozen=True, slots=True)
class Activity:
    """A person's own activity. on: the day it began. training_id: the accompaniment it came from, if known."""

    activity_id: UUID
    ref: UUID
    home: str
    said_by: str
    on: date
    form: ActivityForm
    training_id: UUID | None
    trial: bool = False


def in_progress(training: Training, partner: str) -> bool:
    """Whether a training is an accompaniment in progress of which a partner is a party."""
    return (
        training.moment == "preparation_emploi"
        and training.status in _IN_PROGRESS
        and partner in (training.home, training.operator)
    )


def accompaniment(trainings: Iterable[Training], partner: str) -> Training | None:
    """The accompaniment towards an activity in progress; of several, one of the partner's own, then the newest."""
    found = [
        each for each in trainings if each.facts["kind"] == "accompagnement_creation" and in_progress(each, partner)
    ]
    return max(found, key=lambda each: (each.operator == partner, each.id), default=None)


def created(activity: Activity, came_from: Training | None) -> tuple[CreatedV1, CreatedSealed]:
    """The event that records an activity."""
    event = CreatedV1(
        activity_id=activity.activity_id,
        home=activity.home,
        said_by=activity.said_by,
        training_id=activity.training_id,
        referral_id=came_from.referral_id if came_from else None,
        trial=activity.trial,
    )
    return event, CreatedSealed(form=activity.form)
