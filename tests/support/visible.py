"""Acts and events with every field that one can have; acts are made by the life cycles' own steps and forms."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from jalons.privacy.disclosure import PARTIES
from jalons.privacy.visibility import Role
from schemas.catalogue import TYPES
from schemas.envelope import Event, Payload
from schemas.examples import DATA, SEALED
from services.referrals.acts import rules as acts
from services.referrals.acts.http import ACTIONS
from services.referrals.acts.lifecycle import PLACEMENT, REFERRAL, TRAINING, Office, Table
from services.referrals.acts.rules import Act, Placement, Referral, Training

REFERRAL_ID = DATA["jalons.referral.sent.v1"]["referral_id"]
TRAINING_ID = DATA["jalons.training.enrolled.v1"]["training_id"]
PLACEMENT_ID = DATA["jalons.placement.proposed.v1"]["placement_id"]

TODAY = date(2026, 11, 24)
HOME, REFERRER, RECEIVER, EMPLOYER = "cpas-hotton", "cpas-erezee", "le-trusquin", "maison-de-repos-hotton"
PERSON = UUID(int=7)
TABLES: dict[type[Act], Table] = {Referral: REFERRAL, Training: TRAINING, Placement: PLACEMENT}
NOUNS: dict[type[Act], str] = {Referral: "referral", Training: "training", Placement: "placement"}

_SENSE = {"goal": "qualify", "chosen_by": "together"}
_PLAN = {"planned_start": "2026-12-07", "planned_end": "2027-06-30", "trial": False}
_BORN: dict[type[Act], dict[str, Any]] = {
    Referral: _SENSE
    | {"reason": "training", "finer": "no_bus", "contact": "person_comes", "reply_by": "2026-12-01"}
    | {"disclosed": {"age_band": "25-29"}, "recipient_kind": "training_operator", "offer_type": "formation"}
    | {"follows": TRAINING_ID, "alternative_to": PLACEMENT_ID, "parent": TRAINING_ID, "trial": False}
    | {"earlier_recipients": ["forem-marche"], "terms": {"expire_after_days": 30}}
    | {"sent_at": "2026-11-24T08:00:00+00:00", "sent_on": "2026-11-24"}
    | {"said": "no_longer", "said_on": "2026-11-24", "stop_asked_on": "2026-11-24"}
    | {"also_open": ["R-4M2P-8XK"]},
    Training: _SENSE | _PLAN | {"kind": "formation", "tool": "gingo", "offer": "auxiliaire-de-soins"},
    Placement: _SENSE
    | _PLAN
    | {"kind": "cdd", "occupation": "J1501", "offer": "auxiliaire-de-soins", "legal_employer": REFERRER},
}
"""What an act is made with."""
_GIVEN: dict[str, Any] = {
    "reported_by": "referrer",
    "first_contact_on": "2026-12-03",
    "place": "rue-haute",
    "rank": 2,
    "expected_on": "2027-01-11",
    "declined_by": "provider",
    "started_on": "2026-12-07",
    "ended_on": "2027-08-31",
    "outcome": "reached",
    "hours_done": 240,
    "offer": "remise-a-niveau",
    "months": 3,
    "situation": "in_job",
}
_REASONS = {"decline": "no_place", "refuse": "no_place", "reopen": "recorded_in_error", "void": "wrong_person"}
_ALSO: dict[tuple[type[Act], str], dict[str, Any]] = {
    (Referral, "redirect"): {"redirected_to": TRAINING_ID, "redirected_reference": "R-4M2P-8XK"}
    | {"recipient": "lire-et-ecrire"},
    (Referral, "suggest"): {"suggested_partner": "lire-et-ecrire"},
    (Referral, "start"): {"answered_by": "training", "answered_by_id": TRAINING_ID},
    (Training, "complete"): {"outcome": "acquired"},
}
"""What a command adds to what was given."""
_UNKEPT = {"happened_on", "again"}

REFERRAL_ID = DATA["jalons.referral.sent.v1"]["referral_id"]
TRAINING_ID = DATA["jalons.training.enrolled.v1"]["training_id"]
PLACEMENT_ID = DATA["jalons.placement.proposed.v1"]["placement_id"]


def given(kind: type[Act], action: str) -> dict[str, Any]:
    """All that can be said with an action, as the rules take it."""
    form = ACTIONS[f"{NOUNS[kind]}s"].get(action)
    names = set(form.model_fields if form and action != "redirect" else ()) - _UNKEPT
    said = {name: _REASONS.get(action, "moved") if name == "reason" else _GIVEN[name] for name in names}
    finer = {"finer": "no_bus"} if "reason" in names and action not in ("reopen", "void") else {}
    return said | finer | _ALSO.get((kind, action), {})


def full(kind: type[Act], status: str, **facts: Any) -> Any:
    """An act in a status, with every fact that any action leaves."""
    made = _made(kind)
    gathered = dict(made.facts)
    for row in TABLES[kind]:
        if row.source:
            gathered |= _step(made, row.action, min(row.source), row.by).facts
    return replace(made, status=status, facts=gathered | facts)


def _step(made: Act, action: str, status: str, by: frozenset[str]) -> Act:
    said, parties = given(type(made), action), made.parties()
    role = "referrer" if said.get("reported_by") else min(by & parties.keys(), default="")
    who = parties[role] if role else Office(min(by & set(Office)))
    return acts.act(replace(made, status=status), action, who, said, TODAY).state


def _made(kind: type[Act]) -> Any:
    shared = {"ref": PERSON, "home": HOME, "status": "", "version": 2, "facts": _BORN[kind]}
    if kind is Referral:
        own = {"referrer": REFERRER, "recipient": RECEIVER, "moment": "formation", "offer": "auxiliaire-de-soins"}
        return Referral(UUID(REFERRAL_ID), "R-7K4M-2QX", **shared, **own)
    answers = {"referral_id": UUID(REFERRAL_ID)}
    if kind is Training:
        return Training(UUID(TRAINING_ID), "T-2B8N-5WC", **shared, operator=RECEIVER, moment="formation", **answers)
    return Placement(UUID(PLACEMENT_ID), "P-9D3H-6TV", **shared, proposer=REFERRER, employer=EMPLOYER, **answers)


NOW = datetime(2026, 11, 24, 9, 30, 15, tzinfo=UTC)
BY_ROLE = {
    Role.HOME: "cpas-hotton",
    Role.REFERRER: "cpas-erezee",
    Role.RECEIVER: "le-trusquin",
    Role.REPORTER: "lire-et-ecrire",
    Role.EMPLOYER: "maison-de-repos-hotton",
    Role.HOLDER: "ancien-partenaire",
    Role.OTHER: "forem-marche",
}
HOLDINGS = [
    {
        "partner": BY_ROLE[role],
        "contact": "cpas-hotton",
        "references": ["R-7K4M-2QX"],
        "act": REFERRAL_ID,
        "as_employer": as_employer,
    }
    for role, as_employer in ((Role.HOLDER, False), (Role.EMPLOYER, True))
]
FILLED: dict[str, Any] = {
    "trial": True,
    "front": True,
    "employer_calls": "front",
    "placement_id": str(uuid.UUID(int=6)),
    "lapsed": False,
    "agreement_ended": None,
    "uncovered": [],
    "reported_by": "referrer",
    "offer": "auxiliaire-de-soins",
    "offer_type": "formation",
    "place": "rue-haute",
    "places": [{"code": "rue-haute", "address": "Rue Haute 1"}],
    "legal_employer": "mire",
    "planned_end": "2027-06-30",
    "referral_id": str(uuid.UUID(int=1)),
    "convention_id": str(uuid.UUID(int=2)),
    "follows": str(uuid.UUID(int=3)),
    "alternative_to": str(uuid.UUID(int=4)),
    "parent": str(uuid.UUID(int=5)),
    "restored": ["le-trusquin"],
    "finer": "no_bus",
    "tool": "gingo",
    "phone_hours": "9-12 h",
    "address": "Rue Basse 2",
    "language": "fr",
    "valid_from": "2026-01-01",
    "valid_to": "2026-12-31",
    "transport_help": True,
    "childcare": True,
    "mailbox": "accueil@partner.example",
    "project": "integra",
    "last_confirmed_on": "2026-11-01",
}
"""What the committed examples leave out."""


def filled(type_: str, **changes: Any) -> Event:
    """An event of a type with every field set, and another partner in every role."""
    payload = TYPES[type_]
    parties = {field: BY_ROLE[role] for field, role in PARTIES.items()}
    held = {"partners": [each["partner"] for each in HOLDINGS], "holdings": HOLDINGS}
    data = _all_of(payload, {**DATA[type_], **parties, **held, **changes})
    sealed = payload.SEALED and payload.SEALED.model_validate(_all_of(payload.SEALED, SEALED[type_]))
    call = uuid.uuid4()
    return Event(
        uuid.uuid4(),
        "/services/referrals",
        str(PERSON),
        3,
        NOW,
        NOW,
        "who-acted",
        call,
        uuid.uuid4(),
        payload.model_validate(data),
        sealed,
        "00-trace-01",
    )


def _all_of(model: type[Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Raises KeyError for a new optional field: give it a value in FILLED."""
    return {name: known[name] if name in known else FILLED[name] for name in model.model_fields}


def fields_of(payload: type[Payload]) -> list[str]:
    return [*payload.model_fields, *(payload.SEALED.model_fields if payload.SEALED else ())]
