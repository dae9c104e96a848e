"""What calls answer of activities."""

from __future__ import annotations

from datetime import date
from typing import NotRequired
from uuid import UUID

from jalons.web.answers import Answers, Page, Shown
from schemas import codes


class Activity(Shown):
    """A person's own business."""

    activity_id: UUID
    beneficiary: UUID
    on: date
    form: codes.ActivityForm
    said_by: codes.Slug
    training_id: NotRequired[UUID]


ANSWERS: Answers = {
    ("POST", "/activities"): Activity,
    ("GET", "/activities"): Page[Activity],
    ("GET", "/activities/{activity_id}"): Activity,
}
