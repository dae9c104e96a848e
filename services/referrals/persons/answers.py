"""What calls answer of persons and their agreements, to the home partner."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from typing_extensions import TypedDict

from jalons.web.answers import Answers, Items, Page, Shown
from schemas import codes


class Profile(TypedDict):
    """A person in bands."""

    age_band: codes.AgeBand
    sex: codes.Sex
    commune_nis: codes.Nis
    education: codes.Education
    status: codes.PersonStatus
    household: codes.Household
    obstacles: list[codes.Obstacle]


class Beneficiary(Shown):
    """A person. local_ref: the home partner's dossier number, or the hub's spoken code."""

    beneficiary: UUID
    local_ref: str | None
    profile: Profile
    profile_version: int
    status: Literal["active", "paused", "left"]
    left_on: date | None
    version: int
    registered_at: datetime


class ConsentGiven(TypedDict):
    """The agreement's id."""

    consent_id: UUID


class ConsentWithdrawn(TypedDict):
    """The agreement is withdrawn."""

    consent_id: UUID
    status: Literal["withdrawn"]


class Consent(TypedDict):
    """What the person agreed to. partners: empty if the parties of `convention_id` are meant."""

    consent_id: UUID
    ref: UUID
    partners: list[codes.Slug]
    convention_id: UUID | None
    purposes: list[codes.Purpose]
    attributes: list[codes.AgreedAttribute]
    channel: codes.ConsentChannel
    evidence_ref: str | None
    given: datetime
    expires_on: date | None
    withdrawn: datetime | None
    expired: datetime | None
    replaced_by: UUID | None
    status: Literal["standing", "replaced", "withdrawn", "expired"]


class Disclosure(TypedDict):
    """What a partner was shown, when, by which referral; and which fields were withheld, and why."""

    partner: codes.Slug
    reference: codes.Reference
    how: Literal["sent", "read"]
    at: datetime
    fields: str
    attributes: list[str]
    withheld: dict[str, Literal["secrecy", "convention", "consent"]]


class ErasureAccepted(TypedDict):
    """Read what it did by `GET /erasures/{receipt_id}`."""

    receipt_id: UUID


class ErasedIn(TypedDict):
    """What a service erased."""

    service: str
    status: Literal["applied", "pending", "not_known_now"]
    applied_at: datetime | None
    erased: list[str]


class Holder(TypedDict):
    """A partner that holds something of the person, by these references."""

    partner: codes.Slug
    references: list[codes.Reference]


class KeptWithoutThePerson(TypedDict):
    """What stays, and leads to nobody."""

    acts: int
    counts: str
    log: list[str]


class ErasureReceipt(TypedDict):
    """What an erasure did, and which partners hold something outside the hub."""

    receipt_id: UUID
    at: datetime
    why: str
    services: list[ErasedIn]
    kept_without_the_person: KeptWithoutThePerson
    outside_the_hub: list[Holder]


class HomeDue(TypedDict):
    """How many persons of a home partner are due."""

    home: codes.Slug
    persons: int


class RetentionDue(TypedDict):
    """How many persons are due for erasure."""

    items: list[HomeDue]
    total: int


class RetentionDone(TypedDict):
    """How many were erased, and how many are left."""

    erased: int
    left: int


_ONE = "/beneficiaries/{beneficiary}"
ANSWERS: Answers = {
    ("POST", "/beneficiaries"): Beneficiary,
    ("GET", "/beneficiaries"): Page[Beneficiary],
    ("GET", _ONE): Beneficiary,
    ("PUT", f"{_ONE}/profile"): Beneficiary,
    **{("POST", f"{_ONE}/{action}"): Beneficiary for action in ("pause", "resume", "leave")},
    ("POST", f"{_ONE}/consents"): ConsentGiven,
    ("GET", f"{_ONE}/consents"): Items[Consent],
    ("DELETE", f"{_ONE}/consents/{{consent_id}}"): ConsentWithdrawn,
    ("GET", f"{_ONE}/disclosures"): Items[Disclosure],
    ("DELETE", _ONE): ErasureAccepted,
    ("GET", "/erasures/{receipt_id}"): ErasureReceipt,
    ("GET", "/retention"): RetentionDue,
    ("POST", "/retention"): RetentionDone,
}
