"""Removes a person from every table of referrals; the receipt that stays names nobody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, Text, cast, delete, func, insert, literal, select, true, union_all, update

from jalons.messaging import outbox
from services.referrals import tables
from services.referrals.agreements.rules import Holder
from services.referrals.erasure.rules import RETENTION_MONTHS, without_person
from services.referrals.tables import aliases, beneficiaries, conventions, erasures, idempotency, person_keys

Why = Literal["asked", "retention", "restored"]

_ACTS = (tables.referrals, tables.trainings, tables.placements)
_OF_PERSON = (
    *(tables.deadlines, tables.needs, tables.activities, tables.consents, tables.disclosures),
    *(aliases, beneficiaries),
)
"""Tables whose rows of a person, found by `ref`, are deleted."""


_MADE = (
    *(table.c.id for table in _ACTS),
    *(beneficiaries.c.ref, tables.consents.c.consent_id, tables.needs.c.need_id, tables.activities.c.activity_id),
)
"""What a call can have made of a person."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an erasure did. acts: how many stay without the person. holders: the partners that held data of them."""

    receipt_id: UUID
    home: str
    at: datetime
    why: Why
    acts: int
    holders: list[dict[str, Any]]


def destroy(conn: Connection, ref: UUID, now: datetime) -> int:
    """Destroy a person's key and remove them from every table. Returns how many acts stay without the person.

    The caller holds the person's row. Each act gets a new random `ref`, so that nothing joins them. Stored answers are
    replaced and not deleted, so that a repeated call does not register the person again.
    """
    conn.execute(update(person_keys).where(person_keys.c.ref == ref).values(wrapped=None))
    of_person = [select(column).where(column.table.c.ref == ref) for column in _MADE]
    # The key is part of the statement: an index on an expression does not match a parameter.
    made = idempotency.c.answer[literal("id", literal_execute=True)].astext
    names = union_all(*(select(cast(each.subquery().c[0], Text)) for each in of_person))
    conn.execute(update(idempotency).where(made.in_(names)).values(answer={"erased": True}))
    outbox.forget(conn, str(ref))
    _forget_slips(conn, ref)
    acts = 0
    for table in _ACTS:
        also = {"referral_id": None} if "referral_id" in table.c else {}
        for row in conn.execute(select(table.c.id, table.c.facts).where(table.c.ref == ref)).all():
            conn.execute(
                update(table)
                .where(table.c.id == row.id)
                .values(
                    ref=func.gen_random_uuid(),
                    version=table.c.version + 1,
                    changed=now,
                    facts=without_person(row.facts),
                    **also,
                )
            )
            acts += 1
    for table in _OF_PERSON:
        conn.execute(delete(table).where(table.c.ref == ref))
    return acts


def _forget_slips(conn: Connection, ref: UUID) -> None:
    """A slip's row ties its code to a referral, which stays; on paper the code stands beside the person."""
    of_person = select(tables.referrals.c.id).where(tables.referrals.c.ref == ref)
    conn.execute(delete(tables.slips).where(tables.slips.c.referral_id.in_(of_person)))


def keep_receipt(
    conn: Connection, receipt_id: UUID, home: str, at: datetime, why: Why, acts: int, holders: Sequence[Holder]
) -> None:
    """Record what an erasure did."""
    held = [{"partner": holder.partner, "references": list(holder.references)} for holder in holders]
    conn.execute(
        insert(erasures).values(receipt_id=receipt_id, home=home, at=at, why=why, acts=acts, holders=held),
    )


def receipt(conn: Connection, receipt_id: UUID) -> Receipt | None:
    """One receipt."""
    row = conn.execute(select(erasures).where(erasures.c.receipt_id == receipt_id)).mappings().first()
    return Receipt(**row) if row else None


@dataclass(frozen=True, slots=True)
class Leaver:
    """A person who left. months: the longest retention of the signed conventions of their home partner."""

    ref: UUID
    home: str
    left_on: date
    months: int


def leavers(conn: Connection, today: date) -> list[Leaver]:
    """The persons who may be due for erasure, ordered by leaving date, oldest first.

    A month counts as 28 days here, so none who is due is missed; `rules.due` decides.
    """
    parties = func.unnest(conventions.c.parties).table_valued("party").render_derived("parties")
    longest = (
        select(parties.c.party, func.max(conventions.c.retention_months).label("months"))
        .select_from(conventions)
        .join(parties, true())
        .where(conventions.c.status == "signed")
        .group_by(parties.c.party)
        .subquery("longest")
    )
    months = func.coalesce(longest.c.months, RETENTION_MONTHS)
    person = beneficiaries.c
    found = (
        select(person.ref, person.home, person.left_on, months)
        .join_from(beneficiaries, longest, longest.c.party == person.home, isouter=True)
        .where(person.status == "left", person.left_on + 28 * months < today)
        .order_by(person.left_on, person.ref)
    )
    return [Leaver(*row) for row in conn.execute(found)]
