"""Valid request bodies where the schema alone does not give one, and one item of every kind that a path can name."""

from __future__ import annotations

import uuid
from typing import Any
from uuid import UUID

from jalons.privacy.links import AnswerLinks, LinkTarget
from tests.support.apps import SECRET, Apps
from tests.support.calls import offer, sheet
from tests.support.days import day
from tests.support.network import PARTNERS, PROFILE, Network
from tests.support.pages import slip_code

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
    "POST /activities": {"beneficiary": str(uuid.uuid4()), "on": day(-7), "form": "asbl"},
    "PUT /subscriptions/{name}": {"url": "https://193.190.198.27/hook", "types": ["*"]},
}
"""Operation → body. Bodies of other operations can be generated from their schemas."""


def one_of_everything(apps: Apps) -> dict[str, str]:
    """Path parameter → id of an item (for referrals, trainings, placements and references: noun → id). The items belong
    to CPAS Hotton and Le Trusquin, and observation knows them too."""
    home, operator = apps.network["cpas-hotton"], apps.network["le-trusquin"]
    made = home.refer("le-trusquin")
    person = made["beneficiary"]
    agreed = FORMS["POST /beneficiaries/{beneficiary}/consents"] | {
        "partners": ["home-hotton"],
        "purposes": ["employer"],
    }
    consent = home.done("POST", f"/beneficiaries/{person}/consents", agreed)
    sense = {"goal": "qualify", "chosen_by": "together", "planned_start": day(10), "beneficiary": person}
    training = home.done("POST", "/trainings", sense | {"kind": "formation", "offer": "auxiliaire-de-soins"})
    placement = home.done("POST", "/placements", sense | {"kind": "cdd", "employer": "home-hotton"})
    stated = {"domain": "mobilite", "kind": "obstacle", "source": "public", "commune_nis": "83028"}
    created = {"beneficiary": person, "on": day(-7), "form": "asbl"}
    activity = home.done("POST", "/activities", created)
    need = home.done("POST", "/needs", stated | {"beneficiary": person})
    between = {
        "parties": ["cpas-hotton", "le-trusquin"],
        "scope": [{"from": "cpas-hotton", "to": "le-trusquin", "moments": ["projet"]}],
    }
    convention = apps.network.operator.done("POST", "/conventions", Network.convention() | between)
    operator.done("PUT", "/subscriptions/theirs", FORMS["PUT /subscriptions/{name}"], service="notifications")
    tested = operator.done("POST", "/subscriptions/theirs/test", service="notifications")
    apps.tell()
    return {
        "referrals": made["referral_id"],
        "trainings": training["training_id"],
        "placements": placement["placement_id"],
        "references": placement["ref"],
        "beneficiary": person,
        "activity_id": activity["activity_id"],
        "need_id": need["need_id"],
        "consent_id": consent["consent_id"],
        "convention_id": convention["convention_id"],
        "delivery_id": tested["delivery_id"],
        "letter_id": str(uuid.uuid4()),
        "partner": "cpas-hotton",
        "client_id": home.client_id,
        "offer": "auxiliaire-de-soins",
        "name": "theirs",
        "token": AnswerLinks(SECRET).token(LinkTarget("referral", UUID(made["referral_id"]), "le-trusquin")),
        "code": slip_code(home.call("GET", f"/referrals/{made['referral_id']}/slip")),
    }
