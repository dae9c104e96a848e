"""Bodies that are taken on, of the operations whose form says less than their rule."""

from __future__ import annotations

from typing import Any

from tests.support.calls import offer, sheet
from tests.support.network import PARTNERS, PROFILE, Network

FORMS: dict[str, Any] = {
    "PUT /partners/{partner}": PARTNERS["cpas-hotton"],
    "POST /conventions": Network.convention(),
    "PUT /beneficiaries/{beneficiary}/profile": {"profile": PROFILE},
    "POST /beneficiaries/{beneficiary}/consents": {
        "partners": ["le-trusquin"],
        "purposes": ["referral"],
        "channel": "oral",
    },
    "PUT /offers/{offer}": offer(),
    "POST /referrals": sheet(),
    "PUT /subscriptions/{name}": {"url": "https://193.190.198.27/hook", "types": ["*"]},
}
"""By operation. What is not here can be made from its schema."""
