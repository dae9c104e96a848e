"""Events of a convention: the dated agreement under which partners refer to one another."""

from __future__ import annotations

from datetime import date
from typing import ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from schemas.codes import Attribute, ConventionStatus, LegalBasis, Moment, Slug
from schemas.envelope import Payload
from schemas.topics import DIRECTORY, Topic


class Scope(BaseModel):
    """One direction that a convention allows: from one partner to another, for these moments."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    referrer: Slug
    recipient: Slug
    moments: tuple[Moment, ...]


class ConventionRecord(Payload):
    """A whole convention. Reply deadlines are in working days, expiry is in days."""

    TOPIC: ClassVar[Topic] = DIRECTORY

    convention_id: UUID
    parties: tuple[Slug, ...]
    status: ConventionStatus
    valid_from: date
    valid_to: date | None = None
    scope: tuple[Scope, ...]
    shared_attributes: tuple[Attribute, ...]
    legal_basis: LegalBasis
    reply_within_working_days: int
    remind_on_working_days: tuple[int, ...]
    expire_after_days: int
    escalate_on_working_day: int = 7


class SignedV1(ConventionRecord):
    """A convention is in force, for the first time or again."""

    TYPE: ClassVar[str] = "jalons.convention.signed.v1"


class SuspendedV1(ConventionRecord):
    """A convention allows no new referral until it is resumed."""

    TYPE: ClassVar[str] = "jalons.convention.suspended.v1"


class TerminatedV1(ConventionRecord):
    """A convention ended for good."""

    TYPE: ClassVar[str] = "jalons.convention.terminated.v1"


class ExpiredV1(ConventionRecord):
    """A convention passed its last day."""

    TYPE: ClassVar[str] = "jalons.convention.expired.v1"


class RenewalDueV1(ConventionRecord):
    """A convention ends: those that refer under it are asked to renew it. number: 1 thirty days before, 2 on the day.
    cancelled_on: the day on which the hub cancels what nobody took up by then."""

    TYPE: ClassVar[str] = "jalons.convention.renewal_due.v1"

    number: int
    cancelled_on: date
