"""Stores what persons agreed to, and finds the partners that hold something of a person."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Boolean, Connection, Row, case, func, insert, literal, select, union_all, update
from sqlalchemy.dialects.postgresql import aggregate_order_by

from schemas.placement import NAMES_THE_PROPOSER
from schemas.routing import FRONT
from services.referrals.agreements.rules import Consent, Holder
from services.referrals.tables import consents, conventions, placements, referrals, trainings

Ending = Literal["withdrawn", "expired"]
_STANDING = consents.c.withdrawn.is_(None) & consents.c.expired.is_(None)


@dataclass(frozen=True, slots=True)
class StoredConsent:
    """An agreement as it is stored. standing: neither withdrawn nor recorded as expired. withdrawn: by the person."""

    consent_id: UUID
    ref: UUID
    consent: Consent
    standing: bool
    withdrawn: bool


def add_consent(
    conn: Connection,
    consent_id: UUID,
    ref: UUID,
    consent: Consent,
    channel: str,
    evidence_ref: str | None,
    given: datetime,
) -> None:
    """Store an agreement."""
    conn.execute(
        insert(consents).values(
            consent_id=consent_id,
            ref=ref,
            partners=sorted(consent.partners),
            convention_id=consent.convention_id,
            purposes=sorted(consent.purposes),
            attributes=sorted(consent.attributes),
            channel=channel,
            evidence_ref=evidence_ref,
            given=given,
            expires_on=consent.expires_on,
        )
    )


def find_consent(conn: Connection, consent_id: UUID) -> StoredConsent | None:
    """One agreement by its id."""
    row = conn.execute(select(consents).where(consents.c.consent_id == consent_id)).one_or_none()
    if row is None:
        return None
    standing = row.withdrawn is None and row.expired is None
    return StoredConsent(row.consent_id, row.ref, _consent(row), standing, row.withdrawn is not None)


def consents_of(conn: Connection, ref: UUID, *, but: UUID | None = None) -> list[Consent]:
    """A person's standing agreements: neither withdrawn nor recorded as expired. but: one that is left out."""
    c = consents.c
    rows = conn.execute(select(consents).where(c.ref == ref, _STANDING, c.consent_id.is_distinct_from(but)))
    return [_consent(row) for row in rows]


def consents_by_ref(conn: Connection, refs: Collection[UUID]) -> dict[UUID, list[Consent]]:
    """The standing agreements of each of these persons."""
    found: dict[UUID, list[Consent]] = {ref: [] for ref in refs}
    rows = conn.execute(select(consents).where(consents.c.ref.in_(refs), _STANDING).order_by(consents.c.added))
    for row in rows:
        found[row.ref].append(_consent(row))
    return found


def consent_rows(conn: Connection, ref: UUID) -> list[dict[str, Any]]:
    """All agreements of a person, ended ones included, oldest first."""
    shown = select(*(column for column in consents.c if column is not consents.c.added))
    return [row._asdict() for row in conn.execute(shown.where(consents.c.ref == ref).order_by(consents.c.added))]


@dataclass(frozen=True, slots=True)
class Given:
    """An agreement as it was given: its partners include the parties of the convention it names. withdrawn: by the
    person."""

    consent: Consent
    withdrawn: bool


def history(conn: Connection, ref: UUID) -> list[Given]:
    """All agreements of a person, ended ones included, newest first."""
    parties = select(conventions.c.parties).where(conventions.c.convention_id == consents.c.convention_id)
    found = (
        select(consents, parties.scalar_subquery().label("parties"))
        .where(consents.c.ref == ref)
        .order_by(consents.c.added.desc())
    )
    given = []
    for row in conn.execute(found):
        consent = _consent(row)
        named = consent.partners | frozenset(row.parties or ())
        given.append(Given(replace(consent, partners=named), row.withdrawn is not None))
    return given


def has_uncovered(conn: Connection, ref: UUID) -> bool:
    """Whether an act of a person is marked as covered by nothing."""
    kinds = (referrals, trainings, placements)
    marks = [select(t.c.id).where(t.c.ref == ref, t.c.facts.has_key("uncovered_on")) for t in kinds]
    return bool(conn.scalar(select(union_all(*marks).exists())))


def end_consent(
    conn: Connection, consent_id: UUID, how: Ending, now: datetime, replaced_by: UUID | None = None
) -> None:
    """Mark an agreement as withdrawn or expired. replaced_by: the agreement that replaces it."""
    ended = update(consents).where(consents.c.consent_id == consent_id)
    conn.execute(ended.values({how: now, "replaced_by": replaced_by}))


def _consent(row: Row[Any]) -> Consent:
    return Consent(
        frozenset(row.partners),
        row.convention_id,
        frozenset(row.purposes),
        frozenset(row.attributes),
        row.expires_on,
    )


_NO = literal(False)
_R, _T, _P = referrals.c, trainings.c, placements.c
_IS_EMPLOYER = _R.facts["recipient_kind"].astext == "employer"
_P_ASKED = case((_P.facts["kind"].astext.in_(sorted(NAMES_THE_PROPOSER)), _P.proposer), else_=literal(FRONT))
"""An employer asks the network's front, unless the kind of placement makes the proposer known to it."""
_HELD = (
    # table, the holder, whom it asks about it, whether it holds it as an employer
    (referrals, _R.recipient, case((_IS_EMPLOYER, literal(FRONT)), else_=_R.referrer), _IS_EMPLOYER),
    (referrals, _R.referrer, _R.home, _NO),
    (trainings, _T.operator, _T.home, _NO),
    (placements, _P.employer, _P_ASKED, literal(True)),
    (placements, _P.proposer, _P.home, _NO),
)


def holders(conn: Connection, ref: UUID, home: str) -> tuple[list[Holder], bool]:
    """The partners, other than the home partner, that hold something of a person; and whether it is a trial record."""
    held = union_all(
        *(
            select(
                holder.label("partner"),
                contact.label("contact"),
                table.c.reference,
                table.c.id,
                table.c.added,
                employer.label("employer"),
                func.coalesce(table.c.facts["trial"].astext.cast(Boolean), False).label("trial"),
            ).where(table.c.ref == ref)
            for table, holder, contact, employer in _HELD
        )
    ).subquery()
    rows = conn.execute(
        select(
            held.c.partner,
            func.array_agg(aggregate_order_by(held.c.reference, held.c.added)).label("references"),
            func.array_agg(aggregate_order_by(held.c.id, held.c.added)).label("acts"),
            func.array_agg(aggregate_order_by(held.c.contact, held.c.employer.desc(), held.c.added.desc())).label(
                "contacts"
            ),
            func.bool_or(held.c.employer).label("employer"),
            func.bool_or(held.c.trial).label("trial"),
        )
        .where(held.c.partner != home)
        .group_by(held.c.partner)
        .order_by(held.c.partner)
    ).all()
    found = [Holder(row.partner, row.contacts[0], tuple(row.references), row.acts[-1], row.employer) for row in rows]
    return found, any(row.trial for row in rows)
