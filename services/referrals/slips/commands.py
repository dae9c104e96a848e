"""A message that a person sends by their slip goes to the referrer; it changes nothing else."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from schemas import beneficiary as events
from schemas.codes import Said
from services.referrals import refusals
from services.referrals.acts.rows import REFERRALS
from services.referrals.acts.rules import Referral
from services.referrals.work import Work


def record_message(work: Work, referral_id: UUID, said: Said) -> Referral:
    """Record a message of a referral's person. Raises Problem 404."""
    referral = REFERRALS.find(work.conn, referral_id, lock=True)
    if referral is None or referral.facts.get("erased"):
        raise refusals.not_found("referral")
    heard = {"said": said, "said_on": work.call.today.isoformat()}
    kept = replace(referral, facts={**referral.facts, **heard})  # the same version: what waits is as it was
    REFERRALS.save(work.conn, kept, work.call.now)
    event = events.SaidV1(
        referral_id=referral.id,
        reference=referral.reference,
        home=referral.home,
        referrer=referral.referrer,
        recipient=referral.recipient,
        trial=bool(referral.facts.get("trial")),
    )
    work.record(referral.ref, event, events.SaidSealed(said=said))
    return referral
