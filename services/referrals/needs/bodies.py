"""Request bodies of needs."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import Field, StrictBool

from schemas import codes
from services.referrals.calls.bodies import Commune, Dated
from services.referrals.persons.bodies import EXAMPLE_PERSON


class NeedBody(Dated):
    """`POST /needs`: of a person, or of nobody."""

    beneficiary: UUID | None = None
    domain: codes.NeedDomain
    kind: codes.NeedKind
    source: codes.NeedSource
    commune_nis: Commune
    met_by_offer: StrictBool | codes.Slug | None = Field(
        default=None, description="whether an offer meets it, or which one; absent: as the directory has it"
    )


EXAMPLES: dict[tuple[str, str], Any] = {
    ("POST", "/needs"): {
        "beneficiary": EXAMPLE_PERSON,
        "domain": "mobilite",
        "kind": "obstacle",
        "source": "public",
        "commune_nis": "83028",
    },
}
