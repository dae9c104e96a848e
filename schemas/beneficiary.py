"""What happens to a person's record: bands only, and those sealed."""

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
    """A person in bands; nothing else about a person is ever held."""

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
    """A fact about the record that the home partner keeps; nobody else is told."""

    TOPIC: ClassVar[Topic] = PATHWAYS
    SEALED: ClassVar[type[SealedPart] | None] = SealedProfile

    home: Slug
    profile_version: int


class RegisteredV1(BeneficiaryEvent):
    """A person is accompanied by a home partner from now on. trial: the home is a trial partner."""

    TYPE: ClassVar[str] = "jalons.beneficiary.registered.v1"

    trial: bool = False


class ProfileUpdatedV1(BeneficiaryEvent):
    """The bands changed; the former version stays in the log."""

    TYPE: ClassVar[str] = "jalons.beneficiary.profile_updated.v1"


class SaidSealed(SealedPart):
    """What was said."""

    said: Said


class SaidV1(Payload):
    """The person said something by the page of their slip. It changes no state; the referrer is told."""

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
    """Whether the home partner accompanies the person now; nobody else is told."""

    TOPIC: ClassVar[Topic] = PATHWAYS

    home: Slug


class PausedV1(AccompanimentEvent):
    """The accompaniment rests; nothing is expected of anybody meanwhile."""

    TYPE: ClassVar[str] = "jalons.beneficiary.paused.v1"


class ResumedV1(AccompanimentEvent):
    """The accompaniment goes on, after a pause or after the person had left."""

    TYPE: ClassVar[str] = "jalons.beneficiary.resumed.v1"


class LeftSealed(Reasoned):
    """Why."""

    reason: EndReason


class LeftV1(AccompanimentEvent):
    """The accompaniment is over; from here the time runs for which the record may be kept."""

    TYPE: ClassVar[str] = "jalons.beneficiary.left.v1"
    SEALED: ClassVar[type[SealedPart] | None] = LeftSealed


class ErasedV1(Payload):
    """The person's key is destroyed and the record gone; every service forgets the ref. partners: those that held
    something, which lies outside the hub now; holdings: the same, with what each of them holds."""

    TYPE: ClassVar[str] = "jalons.beneficiary.erased.v1"
    TOPIC: ClassVar[Topic] = PATHWAYS

    home: Slug
    receipt_id: UUID
    partners: tuple[Slug, ...]
    holdings: tuple[Holding, ...] = ()
    trial: bool = False
