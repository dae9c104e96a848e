"""One example of each body that partners send, for the documents; a test parses each with the form of its call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PROFILE = {
    "age_band": "25-29",
    "sex": "F",
    "commune_nis": "83028",
    "education": "lower_secondary",
    "status": "ris",
    "household": "alone",
    "obstacles": ["mobilite"],
}
_PERSON = "3f8a1c52-6d0e-4b7a-9c21-5e4d7f60a913"
_STEP = {"goal": "qualify", "chosen_by": "together", "planned_start": "2026-12-07"}

EXAMPLES: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("POST", "/test/clock"): {"now": "2026-12-01T08:00:00+01:00"},
    ("POST", "/referrals"): {
        "person": {"local_ref": "H-2026-114", "profile": _PROFILE},
        "agreement": {"channel": "paper", "attributes": ["age_band", "obstacles"]},
        "recipient": "le-trusquin",
        "offer": "auxiliaire-de-soins",
        "moment": "formation",
        "reason": "training",
        "goal": "qualify",
        "chosen_by": "together",
        "contact": "receiver_calls_referrer",
    },
    ("POST", "/referrals/{id}/accept"): {"first_contact_on": "2026-12-01", "place": "Rue de la Gare 3"},
    ("POST", "/referrals/{id}/decline"): {"reason": "distance_mobility", "declined_by": "person"},
    ("POST", "/referrals/{id}/start"): {"started_on": "2026-12-07"},
    ("POST", "/referrals/{id}/complete"): {"outcome": "reached"},
    ("POST", "/trainings"): {"beneficiary": _PERSON, "referral_id": "R-5WPG-98H", "kind": "formation", **_STEP},
    ("POST", "/trainings/{id}/start"): {"started_on": "2026-12-07"},
    ("POST", "/trainings/{id}/complete"): {"outcome": "acquired", "hours_done": 240},
    ("POST", "/placements"): {"beneficiary": _PERSON, "employer": "home-hotton", "kind": "cdd", **_STEP},
    ("POST", "/placements/{id}/start"): {"started_on": "2026-12-07"},
    ("POST", "/placements/{id}/end"): {"ended_on": "2027-06-30", "reason": "end_of_contract"},
    ("POST", "/activities"): {"beneficiary": _PERSON, "on": "2026-11-23", "form": "cooperative_activites"},
    ("POST", "/needs"): {
        "beneficiary": _PERSON,
        "domain": "mobilite",
        "kind": "obstacle",
        "source": "public",
        "commune_nis": "83028",
    },
    ("POST", "/beneficiaries"): {"profile": _PROFILE, "local_ref": "H-2026-114"},
    ("PUT", "/beneficiaries/{beneficiary}/profile"): {"profile": _PROFILE},
    ("POST", "/beneficiaries/{beneficiary}/consents"): {
        "partners": ["home-hotton"],
        "purposes": ["employer"],
        "channel": "paper",
        "expires_on": "2027-12-31",
    },
    ("PUT", "/partners/{partner}"): {
        "name": "EFT Le Trusquin",
        "kind": "training_operator",
        "sector": "associative",
        "commune_nis": "83034",
        "moments": ["preformation", "formation"],
        "secrecy_class": "discretion",
        "mailbox": "accueil@le-trusquin.example",
        "phone": "+32 84 00 00 00",
    },
    ("PUT", "/partners/{partner}/status"): {"status": "suspended"},
    ("POST", "/partners/{partner}/clients"): {"scopes": ["partner", "read:counts"]},
    ("POST", "/conventions"): {
        "parties": ["cpas-hotton", "le-trusquin"],
        "valid_from": "2026-01-01",
        "scope": [{"from": "cpas-hotton", "to": "le-trusquin", "moments": ["formation"]}],
        "shared_attributes": ["age_band", "obstacles"],
        "legal_basis": "6.1.e",
    },
    ("PUT", "/offers/{offer}"): {
        "partner": "le-trusquin",
        "title": "Auxiliaire polyvalente de soins",
        "moment": "formation",
        "type": "formation",
        "places": 15,
        "commune_nis": "83034",
    },
    ("PUT", "/communes/{nis}"): {"name": "Hotton", "latitude": 50.2675, "longitude": 5.4465},
    ("PUT", "/codes/{list}/{code}"): {"parent": "distance_mobility", "label": "Pas de bus à cette heure"},
    ("PUT", "/imports/mapping"): {"Dossier": "local_ref", "Remarques": "-"},
    ("POST", "/keys/resolve"): {"subjects": [_PERSON]},
}
"""Method and path → a body that is taken as it stands."""
