"""Stores persons by their ref: profile in bands, status, wrapped keys, and the aliases other partners know them by."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from jalons.database import unique_errors
from jalons.privacy.audit import AuditLine, note
from services.referrals.tables import aliases, beneficiaries, person_keys


@dataclass(frozen=True, slots=True)
class Person:
    """A stored person. version: of the whole record. profile_version: of the profile; its history is in the log."""

    ref: UUID
    home: str
    local_ref: str | None
    profile: dict[str, Any]
    profile_version: int
    registered: datetime
    wrapped_key: str | None
    status: str = "active"
    version: int = 1
    left_on: date | None = None
    last_on: date | None = None
    """The day on which they were registered, or their status last changed."""


class LocalRefTaken(Exception):
    """The home partner has another person under this dossier number."""


_PERSONS = select(beneficiaries, person_keys.c.wrapped.label("wrapped_key")).select_from(
    beneficiaries.outerjoin(person_keys, person_keys.c.ref == beneficiaries.c.ref)
)


def find(conn: Connection, named: UUID, partner: str, *, lock: bool = False) -> Person | None:
    """The person a partner means by an id: the ref if it is the home partner, else its own alias; None if unknown.

    lock: hold the person's row until the transaction ends.
    """
    own = (beneficiaries.c.ref == named) & (beneficiaries.c.home == partner)
    by_alias = select(aliases.c.ref).where(aliases.c.alias == named, aliases.c.partner == partner).scalar_subquery()
    return _one(conn, or_(own, beneficiaries.c.ref == by_alias), lock)


def by_ref(conn: Connection, ref: UUID, *, lock: bool = False) -> Person | None:
    """A person by the ref itself, for the hub's own work."""
    return _one(conn, beneficiaries.c.ref == ref, lock)


def by_local_ref(conn: Connection, home: str, local_ref: str, *, lock: bool = False) -> Person | None:
    """The person a home partner knows under its own dossier number."""
    return _one(conn, (beneficiaries.c.home == home) & (beneficiaries.c.local_ref == local_ref), lock)


def same_number(conn: Connection, home: str, local_ref: str) -> str | None:
    """Another dossier number of a home partner that is this one but for zeros before it; None if there is none."""
    if not (local_ref.isascii() and local_ref.isdigit()):
        return None
    c = beneficiaries.c
    alike = (func.ltrim(c.local_ref, "0") == local_ref.lstrip("0")) & (c.local_ref != local_ref)
    found: str | None = conn.execute(select(c.local_ref).where(c.home == home, alike).limit(1)).scalar()
    return found


def ref_of(conn: Connection, named: UUID, partner: str) -> UUID | None:
    """The ref of the person a partner means; None if unknown."""
    person = find(conn, named, partner)
    return person.ref if person else None


def home_ref(conn: Connection, named: UUID, partner: str) -> UUID | None:
    """The ref of a partner's own person; None if unknown, or if the person's key was destroyed."""
    person = find(conn, named, partner)
    return person.ref if person and person.home == partner and person.wrapped_key else None


def local_refs(conn: Connection, home: str, refs: Collection[UUID]) -> dict[UUID, str]:
    """A home partner's dossier numbers by ref; persons without one are left out."""
    c = beneficiaries.c
    rows = conn.execute(select(c.ref, c.local_ref).where(c.ref.in_(refs), c.home == home, c.local_ref.is_not(None)))
    return {row.ref: row.local_ref for row in rows}


def page(conn: Connection, home: str, after: UUID, limit: int) -> list[Person]:
    """A page of a home partner's persons, ordered by ref."""
    c = beneficiaries.c
    rows = conn.execute(_PERSONS.where(c.home == home, c.ref > after).order_by(c.ref).limit(limit))
    return [_person(conn, row) for row in rows]


def add(conn: Connection, person: Person) -> None:
    """Store a new person with their key. Raises LocalRefTaken."""
    with unique_errors({"beneficiaries_local_ref": LocalRefTaken}):
        conn.execute(
            insert(beneficiaries).values(
                ref=person.ref,
                home=person.home,
                local_ref=person.local_ref,
                profile=person.profile,
                profile_version=person.profile_version,
                registered=person.registered,
                last_on=person.last_on,
            )
        )
    conn.execute(insert(person_keys).values(ref=person.ref, wrapped=person.wrapped_key))


def set_profile(conn: Connection, ref: UUID, profile: Mapping[str, Any]) -> tuple[int, int]:
    """Replace the profile; the new versions of the profile and of the record."""
    c = beneficiaries.c
    row = conn.execute(
        update(beneficiaries)
        .where(c.ref == ref)
        .values(profile=dict(profile), profile_version=c.profile_version + 1, version=c.version + 1)
        .returning(c.profile_version, c.version)
    ).one()
    return row.profile_version, row.version


def set_status(conn: Connection, ref: UUID, status: str, left_on: date | None, on: date) -> int:
    """Set the status from a day on: active, paused or left, the latter with its date. The record's new version."""
    c = beneficiaries.c
    values = {"status": status, "left_on": left_on, "last_on": on, "version": c.version + 1}
    changed = update(beneficiaries).where(c.ref == ref).values(values)
    version: int = conn.execute(changed.returning(c.version)).scalar_one()
    return version


def wrapped_keys(conn: Connection, refs: Collection[UUID]) -> dict[UUID, str | None]:
    """Wrapped keys by ref; None if destroyed. Refs that never had a key are left out."""
    rows = conn.execute(select(person_keys).where(person_keys.c.ref.in_(refs)))
    return {row.ref: row.wrapped for row in rows}


def keep_alias(conn: Connection, alias: UUID, ref: UUID, partner: str) -> None:
    """Store the alias under which a partner knows a person, unless it is stored already."""
    conn.execute(upsert(aliases).values(alias=alias, ref=ref, partner=partner).on_conflict_do_nothing())


def _one(conn: Connection, condition: ColumnElement[bool], lock: bool) -> Person | None:
    statement = _PERSONS.where(condition)
    row = conn.execute(statement.with_for_update(of=beneficiaries) if lock else statement).one_or_none()
    return _person(conn, row) if row else None


def _person(conn: Connection, row: Row[Any]) -> Person:
    note(conn, AuditLine(str(row.ref), "beneficiary"))
    return Person(**row._asdict())
