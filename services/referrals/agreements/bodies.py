"""Request bodies of agreements: what a person consented to."""

from __future__ import annotations

from typing import Any, Self
from uuid import UUID

from pydantic import Field, model_validator

from jalons.privacy.opaque_codes import OpaqueCode
from schemas import codes
from services.referrals.calls.bodies import Body, Dated, Day


class ConsentBody(Dated):
    """`POST /beneficiaries/{beneficiary}/consents`. Without `attributes` no band of the profile is shared.
    `replaces`: an agreement that this one stands in for, as when the person narrows it."""

    partners: list[codes.Slug] = Field(default=[])
    convention_id: UUID | None = None
    purposes: list[codes.Purpose] = Field(min_length=1)
    attributes: list[codes.AgreedAttribute] = Field(default=[])
    channel: codes.ConsentChannel
    evidence_ref: OpaqueCode | None = None
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
    attributes: list[codes.AgreedAttribute] = Field(default=[])
    evidence_ref: OpaqueCode | None = None
    expires_on: Day | None = None


EXAMPLES: dict[tuple[str, str], Any] = {
    ("POST", "/beneficiaries/{beneficiary}/consents"): {
        "partners": ["home-hotton"],
        "purposes": ["employer"],
        "channel": "paper",
        "expires_on": "2027-12-31",
    },
}
