"""What happens to a person's record: bands only, and those sealed."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from schemas.codes import AgeBand, Education, Household, Nis, Obstacle, PersonStatus, Sex, Slug
from schemas.envelope import Payload, SealedPart
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
