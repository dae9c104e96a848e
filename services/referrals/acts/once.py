"""A person is referred once at a time to one recipient for one moment and offer, until that referral has started."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection

from services.referrals.acts.rows import REFERRALS, AlreadyOpen
from services.referrals.acts.rules import Act, Referral

NOT_STARTED = frozenset({"sent", "received", "waitlisted", "accepted"})


def check_once(
    conn: Connection, ref: UUID, recipient: str, moment: str, offer: str | None, *, meant: bool = False
) -> list[str]:
    """Check that the person has no like referral that has not started; returns the references of those that have: they
    block nothing, since a bilan comes back each year and operators close late. The caller has locked the person.

    meant: the caller says that it is no double; it may be one, but not to one offer. Raises AlreadyOpen.
    """
    like = REFERRALS.like(conn, ref, recipient, moment, offer)
    waiting = [each.reference for each in like if each.status in NOT_STARTED]
    if waiting and not (meant and offer is None):
        raise AlreadyOpen(waiting[0])
    return [each.reference for each in like if each.status == "started"]


def check_back(conn: Connection, before: Act, after: Act, *, meant: bool) -> None:
    """Check a step that takes a referral back to before its start: another may have been sent meanwhile. One that was
    sent as its alternative is no double.

    Raises AlreadyOpen.
    """
    if not isinstance(after, Referral) or after.status not in NOT_STARTED or before.status in NOT_STARTED:
        return
    linked = {str(after.id), after.facts.get("alternative_to")}
    for each in REFERRALS.like(conn, after.ref, after.recipient, after.moment, after.offer):
        apart = after.offer is None and (meant or linked & {str(each.id), each.alternative_to} - {None})
        if each.id != after.id and each.status in NOT_STARTED and not apart:
            raise AlreadyOpen(each.reference)
