"""Acts taken to any status by the shortest way over HTTP, in a network that the caller has."""

from __future__ import annotations

from typing import Any

import psycopg

from jalons.clock import local_date, now
from services.referrals.acts import lifecycle
from services.referrals.acts.lifecycle import Table
from tests.support.network import Network, Partner
from tests.support.rerouting import SECOND, SECOND_OFFER, second_operator

TODAY = local_date(now()).isoformat()
TABLES: dict[str, Table] = {
    "referrals": lifecycle.REFERRAL,
    "trainings": lifecycle.TRAINING,
    "placements": lifecycle.PLACEMENT,
}
HOTTON, TRUSQUIN, EMPLOYER = "cpas-hotton", "le-trusquin", "home-hotton"
ROLES = {
    "referrals": {"referrer": HOTTON, "recipient": TRUSQUIN, "author": TRUSQUIN},
    "trainings": {"operator": TRUSQUIN, "home": HOTTON},
    "placements": {"proposer": HOTTON, "home": HOTTON, "employer": EMPLOYER},
}
COORDINATOR = "integra-plus"
GIVEN: dict[str, dict[str, Any]] = {
    "accept": {"first_contact_on": TODAY, "place": "atelier"},
    "waitlist": {"rank": 2},
    "decline": {"reason": "no_place", "declined_by": "provider"},
    "redirect": {"recipient": SECOND, "agreement": {"channel": "oral"}},
    "suggest": {"offer": SECOND_OFFER},
    "cancel": {"reason": "found_work"},
    "interrupt": {"reason": "health_pause"},
    "reopen": {"reason": "recorded_in_error"},
    "void": {"reason": "wrong_person"},
    "start": {"started_on": TODAY},
    "refuse": {"reason": "no_place"},
    "end": {"ended_on": TODAY, "reason": "end_of_contract"},
    "follow-up": {"months": 3, "situation": "in_job"},
    "evaluate": {"outcome": "partly"},
}
WAY = {
    "referrals": {
        "received": ["receive"],
        "waitlisted": ["waitlist"],
        "accepted": ["accept"],
        "started": ["accept", "start"],
        "completed": ["accept", "start", "complete"],
        "declined": ["decline"],
        "redirected": ["redirect"],
        "cancelled": ["cancel"],
        "interrupted": ["accept", "interrupt"],
        "voided": ["void"],
    },
    "trainings": {
        "started": ["start"],
        "suspended": ["start", "suspend"],
        "completed": ["start", "complete"],
        "interrupted": ["start", "interrupt"],
        "cancelled": ["cancel"],
    },
    "placements": {
        "confirmed": ["confirm"],
        "refused": ["refuse"],
        "started": ["confirm", "start"],
        "ended": ["confirm", "start", "end"],
        "cancelled": ["cancel"],
    },
}
"""Noun → status → the acts that lead to it."""


def given(noun: str, action: str) -> dict[str, Any]:
    """What is said with an act."""
    if action == "complete":
        return {"outcome": "reached"} if noun == "referrals" else {"outcome": "acquired", "hours_done": 12}
    return GIVEN.get(action, {})


def born(network: Network, noun: str) -> str:
    """A new one; its spoken reference."""
    second_operator(network)
    home, operator = network[HOTTON], network[TRUSQUIN]
    referral = home.refer(TRUSQUIN, contact="person_comes")
    if noun == "referrals":
        return str(referral["ref"])
    sense = {"goal": "qualify", "chosen_by": "together", "planned_start": TODAY}
    if noun == "trainings":
        alias = operator.done("GET", f"/referrals/{referral['ref']}")["beneficiary"]
        return str(operator.done("POST", "/trainings", {"beneficiary": alias, "kind": "formation", **sense})["ref"])
    agreed = {"partners": [EMPLOYER], "purposes": ["employer"], "channel": "paper"}
    home.done("POST", f"/beneficiaries/{referral['beneficiary']}/consents", agreed)
    job = {"beneficiary": referral["beneficiary"], "employer": EMPLOYER, "kind": "cdd", **sense}
    return str(home.done("POST", "/placements", job)["ref"])


def standing(network: Network, noun: str, status: str) -> str:
    """One that stands at a status; its spoken reference."""
    reference = born(network, noun)
    if status == "expired":  # by the clock alone, thirty days on
        with psycopg.connect(network.info["database"]) as conn:
            conn.execute("UPDATE referrals.referrals SET status = 'expired' WHERE reference = %s", (reference,))
        return reference
    for action in WAY[noun].get(status, ()):
        row = next(row for row in TABLES[noun] if row.action == action)
        who = next(ROLES[noun][role] for role in ("recipient", "referrer", *sorted(row.by)) if role in row.by)
        network[who].done("POST", f"/{noun}/{reference}/{action}", given(noun, action))
    return reference


def by_role(network: Network, noun: str, role: str) -> Partner:
    """Who has a role."""
    return network[COORDINATOR if role == "coordinator" else ROLES[noun][role]]
