"""What a receiver may read of a profile is decided at each read: never more than was sent; each read is recorded."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TypeVar
from uuid import UUID

from sqlalchemy import Connection, select

from jalons.clock import local_date
from schemas.envelope import Event
from schemas.referral import DisclosedProfile, SentSealed, SentV1
from services.referrals.acts.cover import marked
from services.referrals.acts.events import Facts
from services.referrals.acts.rules import HELD, LEFT, Act, Referral, is_held
from services.referrals.agreements import rows as agreements
from services.referrals.agreements.disclosures import Disclosure, record
from services.referrals.agreements.rules import Consent, Convention, Disclosed, Receiver, disclosed_now
from services.referrals.directory import rows as directory
from services.referrals.tables import referrals

S = TypeVar("S", bound=Act)


@dataclass(frozen=True, slots=True)
class _Grounds:
    """What decides which fields a partner may be shown on a day."""

    partner: str
    secrecy_class: str
    conventions: Sequence[Convention]
    consents: Mapping[UUID, Sequence[Consent]]
    today: date

    def shown(self, ref: UUID, referrer: str, moment: str, profile: Mapping[str, object], kind: str) -> Disclosed:
        receiver = Receiver(self.partner, referrer, moment, self.secrecy_class, kind == "employer")
        return disclosed_now(profile, receiver, self.conventions, self.consents[ref], self.today)


def as_seen(conn: Connection, states: Sequence[S], partner: str, now: datetime) -> list[S]:
    """Acts as one of their parties may see them now, marked with who is covered by nothing, and record what they
    disclose. A referral's receiver sees only the profile fields that it may still have."""
    seen, shown = _decided(conn, states, partner, now)
    record(conn, shown, "read", now)
    return seen


def as_would_be_seen(conn: Connection, state: S, partner: str, now: datetime) -> S:
    """As `as_seen`, for a page shown to somebody else: nothing is disclosed to the partner, and nothing is recorded."""
    return _decided(conn, [state], partner, now)[0][0]


def _decided(conn: Connection, states: Sequence[S], partner: str, now: datetime) -> tuple[list[S], list[Disclosure]]:
    states = marked(conn, states, local_date(now))
    received = [s for s in states if isinstance(s, Referral) and _shows_a_profile(s, partner)]
    if not received:
        return list(states), []
    grounds = _grounds(conn, partner, {each.ref for each in received}, local_date(now))
    seen: dict[UUID, Facts] = {}
    shown = []
    for each in received:
        facts = each.facts
        found = grounds.shown(each.ref, each.referrer, each.moment, facts["disclosed"], facts["recipient_kind"])
        shown_now = {} if is_held(each) else found.shown
        seen[each.id] = {**facts, "disclosed": shown_now}
        if shown_now:
            shown.append(Disclosure(each.id, each.reference, each.ref, partner, found))
    return [replace(state, facts=seen[state.id]) if state.id in seen else state for state in states], shown


def narrowed(conn: Connection, events: Sequence[Event], partner: str, now: datetime) -> list[Event]:
    """Events as `as_seen`: a receiver that reads old events sees no more than it may have today."""
    received = {
        e.id: UUID(e.subject)
        for e in events
        if isinstance(e.data, SentV1)
        and isinstance(e.sealed, SentSealed)
        and e.data.recipient == partner != e.data.home
    }
    if not received:
        return list(events)
    grounds = _grounds(conn, partner, set(received.values()), local_date(now))
    left = _left(conn, [event.data.referral_id for event in events if isinstance(event.data, SentV1)])
    return [_narrowed(event, grounds, left) if event.id in received else event for event in events]


def _left(conn: Connection, referral_ids: Collection[UUID]) -> frozenset[UUID]:
    """Those of these referrals whose receiver is shown no profile: it sees their status only, or they are held."""
    none = referrals.c.status.in_(LEFT) | referrals.c.facts.has_key(HELD)
    found = select(referrals.c.id).where(referrals.c.id.in_(referral_ids), none)
    return frozenset(conn.execute(found).scalars())


def _narrowed(event: Event, grounds: _Grounds, left: Collection[UUID]) -> Event:
    data, sealed = event.data, event.sealed
    assert isinstance(data, SentV1)
    assert isinstance(sealed, SentSealed)
    profile = sealed.disclosed.model_dump(exclude_none=True)
    found = grounds.shown(UUID(event.subject), data.referrer, data.moment, profile, data.recipient_kind)
    shown = {} if data.referral_id in left else found.shown
    return replace(event, sealed=sealed.model_copy(update={"disclosed": DisclosedProfile(**shown)}))


def _shows_a_profile(referral: Referral, partner: str) -> bool:
    left = referral.status in LEFT or partner in referral.uncovered
    return not left and _receives(referral, partner) and bool(referral.facts.get("disclosed"))


def _receives(referral: Referral, partner: str) -> bool:
    return referral.recipient == partner != referral.home


def _grounds(conn: Connection, partner: str, refs: Collection[UUID], today: date) -> _Grounds:
    row = directory.partner(conn, partner)
    return _Grounds(
        partner,
        row["secrecy_class"] if row else "none",
        directory.signed_of(conn, partner),
        agreements.consents_by_ref(conn, refs),
        today,
    )
