"""A person's word goes to the referrer. « No longer » stops reminders and disclosures until the referrer answers."""

from __future__ import annotations

from uuid import UUID

from schemas import beneficiary as events
from schemas.codes import Said
from services.referrals import refusals
from services.referrals.acts import rules as acts
from services.referrals.acts.lifecycle import NotAllowed
from services.referrals.acts.rows import REFERRALS
from services.referrals.acts.rules import Referral
from services.referrals.deadlines import waits
from services.referrals.work import Work

GO_ON = "go-on"
GOES_ON: Said = "goes_on"
"""What only the referrer records, after speaking with the person."""


def record_message(work: Work, referral_id: UUID, said: Said) -> Referral:
    """Record a message of a referral's person, and return the referral as it is now. Raises Problem 404."""
    referral = REFERRALS.find(work.conn, referral_id, lock=True)
    if referral is None or referral.facts.get("erased"):
        raise refusals.not_found("referral")
    kept = acts.heard(referral, said, work.call.today)
    REFERRALS.save(work.conn, kept, work.call.now)
    if acts.is_held(referral) != acts.is_held(kept):
        waits.follow(work, kept, anew=True)
    event = events.SaidV1(
        referral_id=referral.id,
        reference=referral.reference,
        home=referral.home,
        referrer=referral.referrer,
        recipient=referral.recipient,
        trial=bool(referral.facts.get("trial")),
    )
    work.record(referral.ref, event, events.SaidSealed(said=said))
    return kept


def record_going_on(work: Work, named: UUID | str) -> Referral:
    """The referrer spoke with a person who said « no longer »: the person goes on. Raises NotAllowed, Problem 404."""
    referral = REFERRALS.find(work.conn, named, lock=True)
    if referral is None or work.call.partner != referral.referrer or referral.facts.get("erased"):
        raise refusals.not_found("referral")
    work.expect(referral.version)
    if not acts.is_held(referral):
        raise NotAllowed(GO_ON, referral.status, acts.open_to(referral, work.call.partner, work.call.today))
    return record_message(work, referral.id, GOES_ON)
