"""Request bodies of activities."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from schemas import codes
from services.referrals.calls.bodies import Dated, Day, Spoken
from services.referrals.persons.bodies import EXAMPLE_PERSON


class ActivityBody(Dated):
    """`POST /activities`. `training_id`: the accompaniment it came from, where it is not the one under way."""

    beneficiary: UUID
    on: Day
    form: codes.ActivityForm
    training_id: Spoken | None = None


EXAMPLES: dict[tuple[str, str], Any] = {
    ("POST", "/activities"): {"beneficiary": EXAMPLE_PERSON, "on": "2026-11-23", "form": "cooperative_activites"},
}
