"""Request bodies of persons, who are described in bands only."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from jalons.privacy.opaque_codes import OpaqueCode
from schemas import codes
from services.referrals.calls.bodies import Body, Commune, Dated


class ProfileBody(Body):
    """A person in bands."""

    age_band: codes.AgeBand
    sex: codes.Sex
    commune_nis: Commune
    education: codes.Education
    status: codes.PersonStatus
    household: codes.Household
    obstacles: list[codes.Obstacle] = Field(default=[])


class PersonBody(Body):
    """A person given with a referral; one of that local_ref is the same person. Without one the hub gives a code."""

    local_ref: OpaqueCode | None = None
    profile: ProfileBody


class BeneficiaryBody(Dated):
    """`POST /beneficiaries`. Without a local_ref the hub gives a spoken dossier code, such as D-7K4M-2QX."""

    profile: ProfileBody
    local_ref: OpaqueCode | None = None


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


EXAMPLE_PERSON = "3f8a1c52-6d0e-4b7a-9c21-5e4d7f60a913"
EXAMPLE_PROFILE = {
    "age_band": "25-29",
    "sex": "F",
    "commune_nis": "83028",
    "education": "lower_secondary",
    "status": "ris",
    "household": "alone",
    "obstacles": ["mobilite"],
}
EXAMPLES: dict[tuple[str, str], Any] = {
    ("POST", "/beneficiaries"): {"profile": EXAMPLE_PROFILE, "local_ref": "H-2026-114"},
    ("PUT", "/beneficiaries/{beneficiary}/profile"): {"profile": EXAMPLE_PROFILE},
}
