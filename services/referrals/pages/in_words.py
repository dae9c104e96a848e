"""An act in words: exactly the fields of the answer that GET gives this partner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.referrals.pages.words import Words

DATES = frozenset(
    {"reply_by", "first_contact_on", "expected_on", "planned_start", "planned_end", "started_on", "ended_on", "said_on"}
    | {"stop_asked_on"}
)
PARTNERS = frozenset(
    {"referrer", "recipient", "operator", "home", "proposer", "employer", "legal_employer"}
    | {"new_recipient", "suggested_partner"}
)
LISTS: Mapping[str, str] = {
    "moment": "Moment",
    "goal": "Goal",
    "chosen_by": "ChosenBy",
    "contact": "Contact",
    "tool": "Tool",
    "declined_by": "DeclinedBy",
    "decline_reason": "DeclineReason",
    "refuse_reason": "DeclineReason",
    "interrupt_reason": "EndReason",
    "cancel_reason": "CancelReason",
    "end_reason": "EndReason",
    "reported_by": "ReportedBy",
    "referral.reason": "ReferralReason",
    "referral.outcome": "ReferralOutcome",
    "training.kind": "TrainingKind",
    "training.outcome": "TrainingOutcome",
    "placement.kind": "PlacementKind",
    "placement.outcome": "ReferralOutcome",
    "evaluation": "ReferralOutcome",
    "months": "FollowUpMonths",
    "situation": "Situation",
    "reopen_reason": "ReopenReason",
    "void_reason": "VoidReason",
    "said": "Said",
}
"""Field, with its noun where its meaning depends on it → the closed list of its codes."""
PROFILE: Mapping[str, str] = {
    "age_band": "AgeBand",
    "sex": "Sex",
    "commune_nis": "Nis",
    "education": "Education",
    "status": "PersonStatus",
    "household": "Household",
    "obstacles": "Obstacle",
}
NOT_SHOWN = frozenset(
    {"referral_id", "training_id", "placement_id", "beneficiary", "version", "actions", "ref", "status", "disclosed"}
    | {"follows", "alternative_to", "parent", "answered_by", "alternatives", "again", "also_open"}
)
"""Fields for systems only: ids, numbers and links between records. `ref` and `status` are in the page's heading,
`disclosed` is shown by `profile`."""

Row = tuple[str, str]
"""A label and its text."""


@dataclass(frozen=True)
class Directory:
    """The names behind slugs. partners: slug → name; offers: slug → title; places: partner and code → address."""

    partners: Mapping[str, str]
    offers: Mapping[str, str]
    places: Mapping[tuple[str, str], str] = field(default_factory=dict)

    @classmethod
    def of(cls, partners: Mapping[str, Mapping[str, Any]], offers: Mapping[str, str]) -> Directory:
        """From the rows of partners by slug, and the titles of offers."""
        names = {slug: row["name"] for slug, row in partners.items()}
        places = {(slug, each["code"]): each["address"] for slug, row in partners.items() for each in row["places"]}
        return cls(names, offers, places)

    def address(self, partner: str, code: str) -> str:
        """The address of a partner's place; its code if the partner has it no more."""
        return self.places.get((partner, code), code)


def facts(noun: str, body: Mapping[str, Any], words: Words, directory: Directory) -> list[Row]:
    """The fields that GET answered, in the catalogue's order."""
    shown = [name for name in words.texts["fields"] if name in body and body[name] not in (None, "")]
    return [(words.field(name), text_of(noun, name, body[name], words, directory)) for name in shown]


def profile(disclosed: Mapping[str, Any], words: Words) -> list[Row]:
    """The disclosed bands of a person."""
    rows = []
    for name, codes in PROFILE.items():
        value = disclosed.get(name)
        if value:
            each = value if isinstance(value, list) else [value]
            label = words.field("person_status" if name == "status" else name)
            rows.append((label, ", ".join(words.code(codes, str(code)) for code in each)))
    return rows


def text_of(noun: str, name: str, value: object, words: Words, directory: Directory) -> str:
    """The value of a field in words."""
    text = str(value)
    if name in DATES:
        return words.day(text)
    if name in PARTNERS:
        return directory.partners.get(text, text)
    if isinstance(value, Mapping):
        each = ((words.code("FollowUpMonths", months), words.code("Situation", each)) for months, each in value.items())
        return ", ".join(f"{when} : {situation}" for when, situation in each)
    if name in ("offer", "suggested_offer"):
        return directory.offers.get(text, text)
    codes = LISTS.get(f"{noun}.{name}") or LISTS.get(name)
    return words.code(codes, text) if codes else text
