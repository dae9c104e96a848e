"""Persons by their ref: profile in bands, agreements, keys and the aliases others know them by."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import Connection

from jalons.database import Asked, execute, given, one
from jalons.inserts import Inserts, Into
from jalons.privacy.audit import Line, note
from services.referrals.agreements.rules import Consent


@dataclass(frozen=True, slots=True)
class Person:
    """A person's row. version: of the whole record; the profile's own former versions are in the log."""

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


Standing = tuple[list[Consent], int]
"""What decides about a person who is held: the agreements as `consents` has them, and the last event's number."""


class LocalRefTaken(Exception):
    """The home partner has a person of that dossier number already."""


BENEFICIARIES = Into(
    "beneficiaries",
    "ref uuid, home text, local_ref text, profile jsonb, profile_version int, registered timestamptz",
    taken={"beneficiaries_local_ref": LocalRefTaken},
)
PERSON_KEYS = Into("person_keys", "ref uuid, wrapped text")
ALIASES = Into("aliases", "alias uuid, ref uuid, partner text", "ON CONFLICT DO NOTHING")
CONSENTS = Into(
    "consents",
    "consent_id uuid, ref uuid, partners text[], convention_id uuid, purposes text[], attributes text[], channel text,"
    " evidence_ref text, given timestamptz, expires_on date",
)

_COLUMNS = (
    "b.ref, b.home, b.local_ref, b.profile, b.profile_version, b.registered, k.wrapped, b.status, b.version, b.left_on"
)
_FROM = "FROM beneficiaries b LEFT JOIN person_keys k ON k.ref = b.ref"
_STANDING = "SELECT k.ref AS of, (SELECT max(e.sequence) FROM events e WHERE e.subject = k.ref::text) AS last, c.*"
_AGREEMENTS = "LEFT JOIN consents c ON c.ref = k.ref AND c.withdrawn IS NULL AND c.expired IS NULL"


def find(conn: Connection, named: UUID, partner: str, *, lock: bool = False) -> Person | None:
    """The person a partner means by an id: its home by the ref, any other by its own alias; None for a stranger."""
    row = execute(
        conn,
        f"SELECT {_COLUMNS} {_FROM} WHERE (b.ref = %s AND b.home = %s) OR b.ref ="
        " (SELECT a.ref FROM aliases a WHERE a.alias = %s AND a.partner = %s)" + (" FOR UPDATE OF b" if lock else ""),
        (named, partner, named, partner),
    ).fetchone()
    return _person(conn, row) if row else None


def of_homes(
    conn: Connection, named: Collection[tuple[str, UUID | None, str | None]]
) -> Asked[tuple[list[Person], dict[UUID, Standing]]]:
    """Home partners' own persons, each by ref or by dossier number, locked in one order, as everywhere; and what
    decides about them."""
    rows, values = given("text uuid text", list(named))
    refs = (
        f"SELECT o.ref FROM {rows} AS n(home, ref, local_ref) JOIN beneficiaries o"
        " ON o.home = n.home AND (o.ref = n.ref OR o.local_ref = n.local_ref)"
    )
    found = execute(
        conn,
        f"SELECT {_COLUMNS} {_FROM} WHERE b.ref IN ({refs}) ORDER BY b.ref FOR UPDATE OF b",
        values,
    )
    deciding = execute(conn, f"{_STANDING} FROM (SELECT DISTINCT ref FROM ({refs}) r) k {_AGREEMENTS}", values)

    def answers() -> tuple[list[Person], dict[UUID, Standing]]:
        people = [_person(conn, row) for row in found]
        held = {person.ref for person in people}  # who was registered between the two looks is not
        return people, {ref: each for ref, each in _standing(deciding).items() if ref in held}

    return answers


def ref_of(conn: Connection, named: UUID, partner: str) -> UUID | None:
    """The ref of the person a partner means; None for a stranger."""
    person = find(conn, named, partner)
    return person.ref if person else None


def home_ref(conn: Connection, named: UUID, partner: str) -> UUID | None:
    """The ref of a partner's own person; None for a stranger, and for one whose key was destroyed."""
    person = find(conn, named, partner)
    return person.ref if person and person.home == partner and person.wrapped_key else None


def by_local_ref(conn: Connection, home: str, local_ref: str, *, lock: bool = False) -> Person | None:
    """The person a home partner knows by its own dossier number."""
    row = execute(
        conn,
        f"SELECT {_COLUMNS} {_FROM} WHERE b.home = %s AND b.local_ref = %s" + (" FOR UPDATE OF b" if lock else ""),
        (home, local_ref),
    ).fetchone()
    return _person(conn, row) if row else None


def local_refs(conn: Connection, home: str, refs: Collection[UUID]) -> dict[UUID, str]:
    """A home partner's own dossier numbers of these persons, where they have one."""
    rows = execute(
        conn,
        "SELECT ref, local_ref FROM beneficiaries WHERE ref = ANY(%s) AND home = %s AND local_ref IS NOT NULL",
        (list(refs), home),
    )
    return {row.ref: row.local_ref for row in rows}


def page(conn: Connection, home: str, after: UUID, limit: int) -> list[Person]:
    """A page of a home partner's persons, by ref."""
    rows = execute(
        conn,
        f"SELECT {_COLUMNS} {_FROM} WHERE b.home = %s AND b.ref > %s ORDER BY b.ref LIMIT %s",
        (home, after, limit),
    )
    return [_person(conn, row) for row in rows]


def add(rows: Inserts, person: Person) -> None:
    """A person with their key. Written, it raises LocalRefTaken."""
    own = (person.ref, person.home, person.local_ref, Jsonb(person.profile), person.profile_version, person.registered)
    rows.add(BENEFICIARIES, own)
    rows.add(PERSON_KEYS, (person.ref, person.wrapped_key))


def set_profile(conn: Connection, ref: UUID, profile: Mapping[str, Any]) -> tuple[int, int]:
    """Replace the bands; the new versions, of the profile and of the record."""
    row = one(
        conn,
        "UPDATE beneficiaries SET profile = %s, profile_version = profile_version + 1, version = version + 1"
        " WHERE ref = %s RETURNING profile_version, version",
        (Jsonb(dict(profile)), ref),
    )
    return row.profile_version, row.version


def set_status(conn: Connection, ref: UUID, status: str, left_on: date | None) -> int:
    """Active, paused, or left on a day; the record's new version."""
    return int(
        one(
            conn,
            "UPDATE beneficiaries SET status = %s, left_on = %s, version = version + 1 WHERE ref = %s"
            " RETURNING version",
            (status, left_on, ref),
        ).version
    )


def wrapped_keys(conn: Connection, refs: Collection[UUID]) -> dict[UUID, str | None]:
    """Wrapped keys by ref; None where one was destroyed, no line where there never was one."""
    rows = execute(conn, "SELECT ref, wrapped FROM person_keys WHERE ref = ANY(%s)", (list(refs),))
    return {row.ref: row.wrapped for row in rows}


def keep_alias(rows: Inserts, alias: UUID, ref: UUID, partner: str) -> None:
    """Remember how a partner will name a person."""
    rows.add(ALIASES, (alias, ref, partner))


def standing(conn: Connection, refs: Collection[UUID]) -> dict[UUID, Standing]:
    """What decides about persons who are held."""
    asked, values = given("uuid", [(ref,) for ref in refs])
    return _standing(execute(conn, f"{_STANDING} FROM {asked} AS k(ref) {_AGREEMENTS}", values))


def _standing(rows: Iterable[Any]) -> dict[UUID, Standing]:
    found: dict[UUID, Standing] = {}
    for row in rows:
        agreements, _ = found.setdefault(row.of, ([], row.last or 0))
        if row.consent_id is not None:
            agreements.append(as_consent(row))
    return found


def consents(conn: Connection, ref: UUID) -> list[Consent]:
    """The agreements of a person that were neither withdrawn nor said to have expired."""
    rows = execute(conn, "SELECT * FROM consents WHERE ref = %s AND withdrawn IS NULL AND expired IS NULL", (ref,))
    return [as_consent(row) for row in rows]


def as_consent(row: Any) -> Consent:
    """The part of a row that decides what it covers."""
    return Consent(
        frozenset(row.partners),
        row.convention_id,
        frozenset(row.purposes),
        frozenset(row.attributes),
        row.expires_on,
    )


def consent_rows(conn: Connection, ref: UUID) -> list[dict[str, Any]]:
    """All agreements of a person, withdrawn ones included, oldest first."""
    rows = execute(conn, "SELECT * FROM consents WHERE ref = %s ORDER BY consent_id", (ref,))
    return [row._asdict() for row in rows]


def add_consent(
    rows: Inserts,
    consent_id: UUID,
    ref: UUID,
    consent: Consent,
    channel: str,
    evidence_ref: str | None,
    given: datetime,
) -> None:
    """Record an agreement."""
    covered = (sorted(consent.partners), consent.convention_id, sorted(consent.purposes), sorted(consent.attributes))
    rows.add(CONSENTS, (consent_id, ref, *covered, channel, evidence_ref, given, consent.expires_on))


def by_ref(conn: Connection, ref: UUID, *, lock: bool = False) -> Person | None:
    """A person by the ref itself, for the hub."""
    row = execute(
        conn, f"SELECT {_COLUMNS} {_FROM} WHERE b.ref = %s" + (" FOR UPDATE OF b" if lock else ""), (ref,)
    ).fetchone()
    return _person(conn, row) if row else None


def _person(conn: Connection, row: Any) -> Person:
    person = Person(*row)
    note(conn, Line(str(person.ref), "beneficiary"))
    return person
