"""Events that observation derives from those that partners record: the person's way, moment by moment."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from schemas.codes import Moment, Slug
from schemas.envelope import Payload
from schemas.topics import PATHWAYS, Topic


class PathwayEvent(Payload):
    """A step of the way. step: the referral's id if there is one, else the cause's id. rule: the rules' version."""

    TOPIC: ClassVar[Topic] = PATHWAYS

    step: UUID
    moment: Moment
    home: Slug
    at: Slug
    rule: int


class MomentEnteredV1(PathwayEvent):
    """A step began."""

    TYPE: ClassVar[str] = "jalons.pathway.moment_entered.v1"


class MomentLeftV1(PathwayEvent):
    """A step ended."""

    TYPE: ClassVar[str] = "jalons.pathway.moment_left.v1"


class StalledV1(PathwayEvent):
    """A step has been open for 90 days without any event."""

    TYPE: ClassVar[str] = "jalons.pathway.stalled.v1"
