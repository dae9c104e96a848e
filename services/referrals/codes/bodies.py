"""Request bodies of the closed lists."""

from __future__ import annotations

from typing import Any

from schemas import codes
from services.referrals.calls.bodies import Body, Name


class FinerBody(Body):
    """`PUT /codes/{list}/{code}`: the code of the list it belongs to, and its label."""

    parent: codes.FinerCode
    label: Name


EXAMPLES: dict[tuple[str, str], Any] = {
    ("PUT", "/codes/{list}/{code}"): {"parent": "distance_mobility", "label": "Pas de bus à cette heure"},
}
