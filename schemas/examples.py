"""One example of every type's data, open and sealed; the committed examples are written from it."""

from __future__ import annotations

from typing import Any

REF = "3f8a1c52-6d0e-4b7a-9c21-5e4d7f60a913"
REFERRAL_ID = "01935b7e-8c00-7a10-8f3a-2b6c1d9e4a01"
TRAINING_ID = "01935b7e-8c00-7a10-8f3a-2b6c1d9e4a02"
PLACEMENT_ID = "01935b7e-8c00-7a10-8f3a-2b6c1d9e4a03"
EVENT_ID = "01935b7e-8c00-7a10-8f3a-2b6c1d9e4a04"
CALL_ID = "01935b7e-8c00-7a10-8f3a-2b6c1d9e4a05"
CONSENT_ID = "01935b7e-8c00-7a10-8f3a-2b6c1d9e4a06"
CONVENTION_ID = "01935b7e-8c00-7a10-8f3a-2b6c1d9e4a07"
DEAD_LETTER_ID = "01935b7e-8c00-7a10-8f3a-2b6c1d9e4a08"
RECEIPT_ID = "01935b7e-8c00-7a10-8f3a-2b6c1d9e4a09"
NEED_ID = "01935b7e-8c00-7a10-8f3a-2b6c1d9e4a0a"
ACTIVITY_ID = "01935b7e-8c00-7a10-8f3a-2b6c1d9e4a0b"
DELIVERY_ID = "5b0c2f0e-3a55-5c57-9f0b-0d4f7b6f3a11"

_PROFILE = {
    "age_band": "25-29",
    "sex": "F",
    "commune_nis": "83028",
    "education": "lower_secondary",
    "status": "ris",
    "household": "alone",
    "obstacles": ["mobilite"],
}
_PARTNER = {
    "slug": "le-trusquin",
    "name": "EFT Le Trusquin",
    "kind": "training_operator",
    "sector": "associative",
    "commune_nis": "83034",
    "moments": ["preformation", "formation"],
    "secrecy_class": "discretion",
    "status": "active",
    "mailbox": "accueil@le-trusquin.example",
    "phone": "+32 84 00 00 00",
}
_CONVENTION = {
    "convention_id": CONVENTION_ID,
    "parties": ["cpas-hotton", "le-trusquin"],
    "status": "signed",
    "valid_from": "2026-01-01",
    "scope": [{"referrer": "cpas-hotton", "recipient": "le-trusquin", "moments": ["formation"]}],
    "shared_attributes": ["age_band", "obstacles"],
    "legal_basis": "6.1.e",
    "reply_within_working_days": 5,
    "remind_on_working_days": [3, 5],
    "expire_after_days": 30,
    "escalate_on_working_day": 7,
}
_OFFER = {
    "offer": "auxiliaire-de-soins",
    "partner": "le-trusquin",
    "title": "Auxiliaire polyvalente de soins",
    "moment": "formation",
    "type": "formation",
    "status": "published",
    "places": 15,
    "commune_nis": "83034",
}
_REFERRAL = {
    "referral_id": REFERRAL_ID,
    "reference": "R-7K4M-2QX",
    "home": "cpas-hotton",
    "referrer": "cpas-hotton",
    "recipient": "le-trusquin",
    "recipient_kind": "training_operator",
    "offer": "auxiliaire-de-soins",
    "offer_type": "formation",
    "moment": "formation",
}
_TRAINING = {
    "training_id": TRAINING_ID,
    "reference": "T-2B8N-5WC",
    "home": "cpas-hotton",
    "operator": "le-trusquin",
    "referral_id": REFERRAL_ID,
    "moment": "formation",
}
_PLACEMENT = {
    "placement_id": PLACEMENT_ID,
    "reference": "P-9D3H-6TV",
    "home": "cpas-hotton",
    "proposer": "cpas-hotton",
    "employer": "maison-de-repos-hotton",
}
_HOLDING = {"partner": "le-trusquin", "contact": "cpas-hotton", "references": ["R-7K4M-2QX", "T-2B8N-5WC"]}
_CONSENT_ENDED = {
    "consent_id": CONSENT_ID,
    "home": "cpas-hotton",
    "partners": ["le-trusquin"],
    "holdings": [_HOLDING],
}
_COURSE = {"kind": "formation", "goal": "qualify", "chosen_by": "together"}
_WORK = {"kind": "cdd", "occupation": "J1501", "goal": "find_job", "chosen_by": "person"}
_STEP = {
    "step": REFERRAL_ID,
    "moment": "formation",
    "home": "cpas-hotton",
    "at": "le-trusquin",
    "rule": 1,
}
_MESSAGE = {
    "delivery_id": DELIVERY_ID,
    "about": EVENT_ID,
    "about_type": "jalons.referral.sent.v1",
    "channel": "email",
    "recipient": "le-trusquin",
    "attempts": 1,
}
_DEAD = {
    "dead_letter_id": DEAD_LETTER_ID,
    "service": "observation",
    "topic": "jalons.pathways",
    "partition": 4,
    "offset": 1207,
    "reason": "not a CloudEvent: invalid JSON",
}

DATA: dict[str, dict[str, Any]] = {
    "jalons.partner.registered.v1": _PARTNER,
    "jalons.partner.updated.v1": _PARTNER | {"phone_hours": "9-12 h"},
    "jalons.partner.suspended.v1": _PARTNER | {"status": "suspended"},
    "jalons.partner.left.v1": _PARTNER | {"status": "left"},
    "jalons.convention.signed.v1": _CONVENTION,
    "jalons.convention.suspended.v1": _CONVENTION | {"status": "suspended"},
    "jalons.convention.terminated.v1": _CONVENTION | {"status": "terminated"},
    "jalons.convention.expired.v1": _CONVENTION | {"status": "expired", "valid_to": "2026-12-31"},
    "jalons.offer.published.v1": _OFFER,
    "jalons.offer.capacity_changed.v1": _OFFER | {"status": "full", "taken": 15},
    "jalons.offer.closed.v1": _OFFER | {"status": "closed"},
    "jalons.beneficiary.registered.v1": {"home": "cpas-hotton", "profile_version": 1},
    "jalons.beneficiary.profile_updated.v1": {"home": "cpas-hotton", "profile_version": 2},
    "jalons.beneficiary.said.v1": {
        "referral_id": REFERRAL_ID,
        "reference": "R-7K4M-2QX",
        "home": "cpas-hotton",
        "referrer": "cpas-hotton",
        "recipient": "le-trusquin",
    },
    "jalons.beneficiary.paused.v1": {"home": "cpas-hotton"},
    "jalons.beneficiary.resumed.v1": {"home": "cpas-hotton"},
    "jalons.beneficiary.left.v1": {"home": "cpas-hotton"},
    "jalons.beneficiary.erased.v1": {
        "home": "cpas-hotton",
        "receipt_id": RECEIPT_ID,
        "partners": ["le-trusquin"],
        "holdings": [_HOLDING],
    },
    "jalons.consent.given.v1": {
        "consent_id": CONSENT_ID,
        "home": "cpas-hotton",
        "partners": ["le-trusquin"],
        "purposes": ["referral"],
        "expires_on": "2027-11-30",
    },
    "jalons.consent.withdrawn.v1": _CONSENT_ENDED,
    "jalons.consent.expired.v1": _CONSENT_ENDED,
    "jalons.need.expressed.v1": {
        "need_id": NEED_ID,
        "home": "cpas-hotton",
        "said_by": "le-trusquin",
        "source": "public",
    },
    "jalons.need.unmet.v1": {
        "need_id": NEED_ID,
        "home": "cpas-hotton",
        "referral_id": REFERRAL_ID,
        "moment": "formation",
    },
    "jalons.need.reported.v1": {
        "need_id": NEED_ID,
        "said_by": "le-trusquin",
        "domain": "mobilite",
        "kind": "need",
        "source": "partner",
        "commune_nis": "83028",
        "met": False,
    },
    "jalons.referral.sent.v1": _REFERRAL | {"contact": "receiver_calls_referrer", "reply_by": "2026-12-01"},
    "jalons.referral.received.v1": _REFERRAL,
    "jalons.referral.accepted.v1": _REFERRAL | {"first_contact_on": "2026-12-03"},
    "jalons.referral.declined.v1": _REFERRAL,
    "jalons.referral.started.v1": _REFERRAL
    | {"started_on": "2026-12-07", "answered_by": "training", "answered_by_id": TRAINING_ID},
    "jalons.referral.completed.v1": _REFERRAL,
    "jalons.referral.waitlisted.v1": _REFERRAL | {"rank": 2, "expected_on": "2027-01-11"},
    "jalons.referral.redirected.v1": _REFERRAL
    | {"redirected_to": TRAINING_ID, "redirected_reference": "R-4M2P-8XK", "new_recipient": "lire-et-ecrire"},
    "jalons.referral.cancelled.v1": _REFERRAL,
    "jalons.referral.interrupted.v1": _REFERRAL,
    "jalons.referral.expired.v1": _REFERRAL,
    "jalons.referral.reopened.v1": _REFERRAL | {"status": "received"},
    "jalons.referral.voided.v1": _REFERRAL | {"reason": "wrong_person"},
    "jalons.referral.suggested.v1": _REFERRAL
    | {"suggested_offer": "remise-a-niveau", "suggested_partner": "lire-et-ecrire"},
    "jalons.referral.reminder_due.v1": _REFERRAL | {"number": 1, "reply_by": "2026-12-01"},
    "jalons.referral.escalated.v1": _REFERRAL | {"reply_by": "2026-12-01"},
    "jalons.referral.news_due.v1": _REFERRAL | {"about": "first_contact", "since": "2026-12-03"},
    "jalons.training.enrolled.v1": _TRAINING | {"planned_start": "2026-12-07"},
    "jalons.training.started.v1": _TRAINING | {"started_on": "2026-12-07"},
    "jalons.training.completed.v1": _TRAINING,
    "jalons.training.suspended.v1": _TRAINING,
    "jalons.training.resumed.v1": _TRAINING,
    "jalons.training.attendance_falling.v1": _TRAINING,
    "jalons.training.interrupted.v1": _TRAINING,
    "jalons.training.cancelled.v1": _TRAINING,
    "jalons.training.news_due.v1": _TRAINING | {"about": "start", "since": "2026-12-07"},
    "jalons.placement.proposed.v1": _PLACEMENT | {"planned_start": "2027-03-01"},
    "jalons.placement.confirmed.v1": _PLACEMENT | {"planned_start": "2027-03-01"},
    "jalons.placement.started.v1": _PLACEMENT | {"started_on": "2027-03-01"},
    "jalons.placement.ended.v1": _PLACEMENT | {"ended_on": "2027-08-31"},
    "jalons.placement.refused.v1": _PLACEMENT,
    "jalons.placement.cancelled.v1": _PLACEMENT,
    "jalons.placement.evaluated.v1": _PLACEMENT,
    "jalons.placement.followed_up.v1": _PLACEMENT | {"months": 3},
    "jalons.placement.news_due.v1": _PLACEMENT | {"about": "end", "since": "2027-08-31"},
    "jalons.placement.end_near.v1": _PLACEMENT | {"planned_end": "2027-08-31"},
    "jalons.placement.follow_up_due.v1": _PLACEMENT | {"months": 3},
    "jalons.activity.created.v1": {
        "activity_id": ACTIVITY_ID,
        "home": "cpas-hotton",
        "said_by": "le-trusquin",
        "training_id": TRAINING_ID,
        "referral_id": REFERRAL_ID,
    },
    "jalons.pathway.moment_entered.v1": _STEP,
    "jalons.pathway.moment_left.v1": _STEP,
    "jalons.pathway.stalled.v1": _STEP,
    "jalons.notification.sent.v1": _MESSAGE,
    "jalons.notification.failed.v1": _MESSAGE | {"attempts": 8, "cause": "mailbox_refused"},
    "jalons.notification.suppressed.v1": _MESSAGE | {"attempts": 0, "cause": "trial_only"},
    "jalons.dead_letter.set_aside.v1": _DEAD,
    "jalons.dead_letter.parked.v1": _DEAD
    | {"reason": "the handler failed: ValueError at services/observation/project.py:41"},
}

SEALED: dict[str, dict[str, Any]] = {
    "jalons.beneficiary.registered.v1": {"profile": _PROFILE},
    "jalons.beneficiary.profile_updated.v1": {"profile": _PROFILE | {"status": "art60"}},
    "jalons.beneficiary.said.v1": {"said": "wants_to_talk"},
    "jalons.beneficiary.left.v1": {"reason": "found_work"},
    "jalons.consent.given.v1": {"attributes": ["age_band", "obstacles"], "channel": "paper"},
    "jalons.need.expressed.v1": {
        "domain": "mobilite",
        "kind": "obstacle",
        "commune_nis": "83028",
        "met": True,
        "offer": "auxiliaire-de-soins",
    },
    "jalons.need.unmet.v1": {"obstacle": "mobilite", "commune_nis": "83028"},
    "jalons.referral.sent.v1": {
        "reason": "training",
        "goal": "qualify",
        "chosen_by": "together",
        "disclosed": {"age_band": "25-29", "obstacles": ["mobilite"]},
    },
    "jalons.referral.declined.v1": {"reason": "distance_mobility", "declined_by": "provider"},
    "jalons.referral.completed.v1": {"outcome": "reached"},
    "jalons.referral.cancelled.v1": {"reason": "found_work"},
    "jalons.referral.interrupted.v1": {"reason": "health_pause"},
    "jalons.referral.reopened.v1": {"reason": "recorded_in_error"},
    "jalons.training.enrolled.v1": _COURSE,
    "jalons.training.started.v1": _COURSE,
    "jalons.training.completed.v1": {"kind": "formation", "outcome": "acquired", "hours_done": 240},
    "jalons.training.suspended.v1": {"kind": "formation", "reason": "health_pause"},
    "jalons.training.interrupted.v1": {"kind": "formation", "reason": "moved"},
    "jalons.training.cancelled.v1": {"kind": "formation", "reason": "person_stops"},
    "jalons.placement.proposed.v1": _WORK,
    "jalons.placement.confirmed.v1": _WORK,
    "jalons.placement.started.v1": _WORK,
    "jalons.placement.ended.v1": {"kind": "cdd", "reason": "end_of_contract"},
    "jalons.placement.refused.v1": {"kind": "cdd", "reason": "no_place"},
    "jalons.placement.cancelled.v1": {"kind": "cdd", "reason": "found_work"},
    "jalons.placement.evaluated.v1": {"kind": "cdd", "outcome": "partly"},
    "jalons.activity.created.v1": {"form": "cooperative_activites"},
    "jalons.placement.followed_up.v1": {"kind": "cdd", "situation": "in_job"},
}


def example(type_: str) -> dict[str, Any]:
    """`{"event": the event on the wire, "unsealed": its sealed part in clear or null}` for a type."""
    noun = type_.split(".")[1]
    data = dict(DATA[type_])
    if type_ in SEALED:
        data["sealed"] = "AQAAAAAAAAAAAAAAAAzZW5kaW5nLWNpcGhlcnRleHQtYW5kLXRhZw=="
    source = {"pathway": "observation", "notification": "notifications", "dead_letter": "observation"}
    subjects = {
        "partner": "le-trusquin",
        "convention": CONVENTION_ID,
        "offer": "auxiliaire-de-soins",
        "notification": "le-trusquin",
        "dead_letter": DEAD_LETTER_ID,
    }
    subject = NEED_ID if type_ == "jalons.need.reported.v1" else subjects.get(noun, REF)
    event = {
        "specversion": "1.0",
        "id": EVENT_ID,
        "source": f"/services/{source.get(noun, 'referrals')}",
        "type": type_,
        "subject": subject,
        "time": "2026-11-24T09:30:00+01:00",
        "datacontenttype": "application/json",
        "recordedtime": "2026-11-24T09:30:01+01:00",
        "sequence": "3",
        "partitionkey": subject,
        "correlationid": CALL_ID,
        "causationid": CALL_ID,
        "partner": "cpas-hotton",
        "data": data,
    }
    return {"event": event, "unsealed": SEALED.get(type_)}
