"""Events of a person's record: bands only, and those sealed."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from schemas.codes import (
    AgeBand,
    Education,
    EndReason,
    Household,
    Nis,
    Obstacle,
    PersonStatus,
    Reference,
    Said,
    Sex,
    Slug,
)
from schemas.consent import Holding
from schemas.envelope import Payload, Reasoned, SealedPart
from schemas.topics import PATHWAYS, Topic


class Profile(BaseModel):
    """A person in bands; the hub holds nothing else about a person."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    age_band: AgeBand
    sex: Sex
    commune_nis: Nis
    education: Education
    status: PersonStatus
    household: Household
    obstacles: tuple[Obstacle, ...] = ()


class SealedProfile(SealedPart):
    """The bands under the person's key."""

    profile: Profile


class BeneficiaryEvent(Payload):
    """A change of the record, which the home partner keeps; only the home partner is told."""

    TOPIC: ClassVar[Topic] = PATHWAYS
    SEALED: ClassVar[type[SealedPart] | None] = SealedProfile

    home: Slug
    profile_version: int


class RegisteredV1(BeneficiaryEvent):
    """A home partner registered a person. trial: the home partner is a trial partner."""

    TYPE: ClassVar[str] = "jalons.beneficiary.registered.v1"

    trial: bool = False


class ProfileUpdatedV1(BeneficiaryEvent):
    """The bands changed; the previous version stays in the log."""

    TYPE: ClassVar[str] = "jalons.beneficiary.profile_updated.v1"


class SaidSealed(SealedPart):
    """The person's message."""

    said: Said


class SaidV1(Payload):
    """The person sent a message from the page of their slip. It changes no state; the referrer is told."""

    TYPE: ClassVar[str] = "jalons.beneficiary.said.v1"
    TOPIC: ClassVar[Topic] = PATHWAYS
    SEALED: ClassVar[type[SealedPart] | None] = SaidSealed

    referral_id: UUID
    reference: Reference
    home: Slug
    referrer: Slug
    recipient: Slug
    trial: bool = False


class AccompanimentEvent(Payload):
    """Whether the home partner accompanies the person now; only the home partner is told."""

    TOPIC: ClassVar[Topic] = PATHWAYS

    home: Slug


class PausedV1(AccompanimentEvent):
    """The accompaniment is paused; no partner has to act meanwhile."""

    TYPE: ClassVar[str] = "jalons.beneficiary.paused.v1"


class ResumedV1(AccompanimentEvent):
    """The accompaniment continues, after a pause or after the person had left."""

    TYPE: ClassVar[str] = "jalons.beneficiary.resumed.v1"


class LeftSealed(Reasoned):
    """Why the accompaniment ended."""

    reason: EndReason


class LeftV1(AccompanimentEvent):
    """The accompaniment ended; the retention period of the record begins."""

    TYPE: ClassVar[str] = "jalons.beneficiary.left.v1"
    SEALED: ClassVar[type[SealedPart] | None] = LeftSealed


class ErasedV1(Payload):
    """The person's key was destroyed and the record deleted; every service deletes the ref. partners: those that hold
    an earlier disclosure outside the hub; holdings: the same, with the acts of each."""

    TYPE: ClassVar[str] = "jalons.beneficiary.erased.v1"
    TOPIC: ClassVar[Topic] = PATHWAYS

    home: Slug
    receipt_id: UUID
    partners: tuple[Slug, ...]
    holdings: tuple[Holding, ...] = ()
    trial: bool = False
