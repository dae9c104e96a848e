"""What reasons have in common and what they reveal; every closed list by name (domain.md, sections 1 and 4)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal, get_args, get_origin

from schemas import codes
from schemas.codes import DeclineReason, EndReason, Obstacle, ReferralReason

VERSION = 2
"""Version of the lists. It rises when a code is added; no code is removed."""

LISTS: Mapping[str, tuple[str, ...]] = {
    re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(): tuple(map(str, get_args(each)))
    for name, each in vars(codes).items()
    if get_origin(each) is Literal
}
"""Name of the list → its codes, in their order."""

Group = Literal["obstacle", "activity", "offer", "frame", "person", "success", "change", "partner"]
"""The parents of reasons. A network adds a finer reason below one of them or below a reason."""

WHY_SENT: Mapping[ReferralReason, Group] = {
    **dict.fromkeys(get_args(Obstacle), "obstacle"),
    "bilan": "activity",
    "orientation": "activity",
    "training": "activity",
    "work_experience": "activity",
    "vacancy": "activity",
    "creation": "activity",
}
WHY_DECLINED: Mapping[DeclineReason, Group] = {
    "no_place": "offer",
    "no_such_service": "offer",
    "prerequisite": "obstacle",
    "language_level": "obstacle",
    "out_of_territory": "frame",
    "distance_mobility": "obstacle",
    "schedule": "obstacle",
    "childcare": "obstacle",
    "session_started": "frame",
    "missing_information": "frame",
    "unreachable": "person",
    "person_not_interested": "person",
    "in_work_or_training": "person",
    "duplicate": "frame",
}
WHY_ENDED: Mapping[EndReason, Group] = {
    "found_work": "success",
    "other_training": "change",
    "no_show": "person",
    "moved": "change",
    "health_pause": "obstacle",
    "childcare": "obstacle",
    "mobility": "obstacle",
    "person_stops": "person",
    "partner_stops": "partner",
    "end_of_contract": "frame",
}
PARENTS: Mapping[str, Mapping[str, Group]] = {
    "referral_reason": {str(code): group for code, group in WHY_SENT.items()},
    "decline_reason": {str(code): group for code, group in WHY_DECLINED.items()},
    "end_reason": {str(code): group for code, group in WHY_ENDED.items()},
}
"""List → code → its parent; `other` has none."""

FINER = tuple(PARENTS)
"""The lists below whose codes a network may add its own."""

OF_THE_OFFER: Final = "offer_type"
UNMET_NEED: Mapping[DeclineReason, Obstacle | Literal["offer_type"]] = {
    "no_place": OF_THE_OFFER,
    "no_such_service": OF_THE_OFFER,
    "prerequisite": "qualification",
    "language_level": "langue",
    "distance_mobility": "mobilite",
    "schedule": "mobilite",
    "childcare": "garde_enfants",
}
"""Which declines are unmet needs, whoever declined, and of what: of the offer's type, or of an obstacle. A timetable
that cannot be met is counted with mobility: where buses are few it is mostly that."""
