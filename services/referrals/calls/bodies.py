"""The forms of requests: closed lists, bounded texts, no unknown field, and no national number in any text."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from jalons.privacy.references import normalise
from jalons.web.problems import refuse_unsafe_text
from schemas import codes
from services.referrals.directory.communes import nis


def spoken(text: str) -> str:
    """A spoken reference as it is kept. Raises ValueError."""
    reference = normalise(text)
    if reference is None:
        raise ValueError("neither an id nor a spoken reference such as R-7K4M-2QX")
    return reference


Text = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Mailbox = Annotated[str, StringConstraints(pattern=r"^[^@\s<>,;:\"]{1,64}@[A-Za-z0-9.-]{1,190}$")]
Phone = Annotated[str, StringConstraints(pattern=r"^\+?[0-9 ()./-]{3,30}$")]
Commune = Annotated[str, StringConstraints(pattern=r"^[0-9]{4,5}$"), AfterValidator(nis)]
LocalRef = Annotated[str, StringConstraints(min_length=1, max_length=64, strip_whitespace=True)]
Day = Annotated[date, Field(ge=date(1950, 1, 1), le=date(2199, 12, 31))]
"""Before 1892 Brussels kept a time of its own, whose offset in seconds no RFC 3339 time can carry."""
Days = Annotated[int, Field(ge=1, le=365)]
Spoken = UUID | Annotated[str, AfterValidator(spoken)]


class Body(BaseModel):
    """Every request's body."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="after")
    def _safe(self) -> Self:
        refuse_unsafe_text(self.__dict__)
        return self


class Dated(Body):
    """An act may have happened on an earlier day."""

    happened_on: Day | None = None


class PartnerBody(Body):
    """`PUT /partners/{partner}`; mailbox and phone are an office's, never a person's."""

    name: Text
    kind: codes.PartnerKind
    sector: codes.Sector
    commune_nis: Commune
    moments: list[codes.Moment]
    secrecy_class: codes.SecrecyClass
    mailbox: Mailbox
    phone: Phone
    phone_hours: Text | None = None
    address: Text | None = None
    language: codes.Language = "fr"
    trial: bool = False
    valid_from: Day | None = None
    valid_to: Day | None = None


class CommuneBody(Body):
    """`PUT /communes/{nis}`: where its chief place lies, in degrees (WGS 84)."""

    name: Text
    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)


class StatusBody(Body):
    """`PUT /partners/{partner}/status`."""

    status: codes.PartnerStatus


class ClientBody(Body):
    """`POST /partners/{partner}/clients`."""

    scopes: list[str] = Field(default=["partner"], min_length=1, max_length=3)


class ScopeBody(Body):
    """One direction a convention opens."""

    referrer: codes.Slug = Field(alias="from")
    recipient: codes.Slug = Field(alias="to")
    moments: list[codes.Moment] = Field(min_length=1)


class ConventionBody(Body):
    """`POST /conventions`."""

    parties: list[codes.Slug] = Field(min_length=2, max_length=100)
    valid_from: Day
    valid_to: Day | None = None
    scope: list[ScopeBody] = Field(min_length=1, max_length=500)
    shared_attributes: list[codes.Attribute]
    legal_basis: codes.LegalBasis
    reply_within_working_days: int = Field(default=5, ge=1, le=60)
    remind_on_working_days: list[Days] = Field(default=[3, 5], max_length=5)
    expire_after_days: Days = 30
    retention_months: int = Field(default=24, ge=1, le=120)
    escalate_on_working_day: Days = 7


class OfferBody(Body):
    """`PUT /offers/{offer}`. `full` is never said, it follows from the places: it is read as published."""

    partner: codes.Slug
    title: Text
    moment: codes.Moment
    type: codes.OfferType
    places: int = Field(ge=0, le=10_000)
    commune_nis: Commune
    status: codes.OfferStatus = "published"
    transport_help: bool = False
    childcare: bool = False
    mailbox: Mailbox | None = None
    place: Text | None = None
    project: codes.Slug | None = None
    valid_from: Day | None = None
    valid_to: Day | None = None


class ProfileBody(Body):
    """A person in bands."""

    age_band: codes.AgeBand
    sex: codes.Sex
    commune_nis: Commune
    education: codes.Education
    status: codes.PersonStatus
    household: codes.Household
    obstacles: list[codes.Obstacle] = []


class BeneficiaryBody(Dated):
    """`POST /beneficiaries`."""

    profile: ProfileBody
    local_ref: LocalRef | None = None


class ProfileChange(Dated):
    """`PUT /beneficiaries/{beneficiary}/profile`."""

    profile: ProfileBody


class PauseBody(Dated):
    """`POST /beneficiaries/{beneficiary}/pause`."""


class ResumeBody(Dated):
    """`POST /beneficiaries/{beneficiary}/resume`."""


class LeaveBody(Dated):
    """`POST /beneficiaries/{beneficiary}/leave`."""

    reason: codes.EndReason | codes.FinerCode | None = None


class ConsentBody(Dated):
    """`POST /beneficiaries/{beneficiary}/consents`. Without `attributes` no band of the profile is shared.
    `replaces`: an agreement that this one stands in for, as when the person narrows it."""

    partners: list[codes.Slug] = []
    convention_id: UUID | None = None
    purposes: list[codes.Purpose] = Field(min_length=1)
    attributes: list[codes.Attribute] = []
    channel: codes.ConsentChannel
    evidence_ref: LocalRef | None = None
    expires_on: Day | None = None
    replaces: UUID | None = None

    @model_validator(mode="after")
    def _for_somebody(self) -> Self:
        if bool(self.partners) == (self.convention_id is not None):
            raise ValueError("name either partners or a convention_id")
        return self


class AgreementBody(Body):
    """What the person agreed to when a referral is sent, for its receiver and its purpose."""

    channel: codes.ConsentChannel
    attributes: list[codes.Attribute] = []
    evidence_ref: LocalRef | None = None
    expires_on: Day | None = None


class PersonBody(Body):
    """A person given with a referral; one of that local_ref is the same person."""

    local_ref: LocalRef | None = None
    profile: ProfileBody


class ReferralBody(Dated):
    """`POST /referrals`, for a person who is known or given with it, to a recipient or the one whose offer it is."""

    beneficiary: UUID | None = None
    person: PersonBody | None = None
    agreement: AgreementBody | None = None
    recipient: codes.Slug | None = None
    offer: codes.Slug | None = None
    moment: codes.Moment
    reason: codes.ReferralReason | codes.FinerCode
    goal: codes.Goal
    chosen_by: codes.ChosenBy
    contact: codes.Contact
    follows: Spoken | None = None
    alternative_to: Spoken | None = None

    @model_validator(mode="after")
    def _one_person(self) -> Self:
        if (self.beneficiary is None) == (self.person is None):
            raise ValueError("name either beneficiary or person")
        return self


class TrainingBody(Dated):
    """`POST /trainings`."""

    beneficiary: UUID
    offer: codes.Slug | None = None
    referral_id: Spoken | None = None
    kind: codes.TrainingKind
    tool: codes.Tool | None = None
    goal: codes.Goal
    chosen_by: codes.ChosenBy
    planned_start: Day
    planned_end: Day | None = None


class PlacementBody(Dated):
    """`POST /placements`."""

    beneficiary: UUID
    employer: codes.Slug
    legal_employer: codes.Slug | None = None
    offer: codes.Slug | None = None
    referral_id: Spoken | None = None
    kind: codes.PlacementKind
    occupation: codes.OccupationCode | None = None
    goal: codes.Goal
    chosen_by: codes.ChosenBy
    planned_start: Day
    planned_end: Day | None = None
