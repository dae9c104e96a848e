"""What a person says by their slip is told to the referrer and changes nothing by itself."""

from __future__ import annotations

from uuid import UUID

from schemas import beneficiary as events
from schemas.codes import Said
from services.referrals import refusals
from services.referrals.acts.rows import REFERRALS
from services.referrals.acts.rules import Referral
from services.referrals.work import Work


def say(work: Work, referral_id: UUID, said: Said) -> Referral:
    """The person of a referral says something. Raises Problem 404."""
    referral = REFERRALS.find(work.conn, referral_id, lock=True)
    if referral is None or referral.facts.get("erased"):
        raise refusals.not_found("referral")
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
