"""Persons by their ref: profile in bands, agreements, keys and the aliases others know them by."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import Connection

from jalons.database import execute, one
from services.referrals.domain.agreement import Consent


@dataclass(frozen=True, slots=True)
class Person:
    """A person's row."""

    ref: UUID
    home: str
    local_ref: str | None
    profile: dict[str, Any]
    profile_version: int
    registered: datetime
    wrapped_key: str | None


_COLUMNS = "b.ref, b.home, b.local_ref, b.profile, b.profile_version, b.registered, k.wrapped"
_FROM = "FROM beneficiaries b LEFT JOIN person_keys k ON k.ref = b.ref"


def find(conn: Connection, named: UUID, partner: str, *, lock: bool = False) -> Person | None:
    """The person a partner means by an id: its home by the ref, any other by its own alias; None for a stranger."""
    row = execute(
        conn,
        f"SELECT {_COLUMNS} {_FROM} WHERE (b.ref = %s AND b.home = %s) OR b.ref ="
        " (SELECT a.ref FROM aliases a WHERE a.alias = %s AND a.partner = %s)" + (" FOR UPDATE OF b" if lock else ""),
        (named, partner, named, partner),
    ).fetchone()
    return _person(row) if row else None


def by_local_ref(conn: Connection, home: str, local_ref: str) -> Person | None:
    """The person a home partner knows by its own dossier number."""
    row = execute(
        conn,
        f"SELECT {_COLUMNS} {_FROM} WHERE b.home = %s AND b.local_ref = %s",
        (home, local_ref),
    ).fetchone()
    return _person(row) if row else None


def page(conn: Connection, home: str, after: UUID, limit: int) -> list[Person]:
    """A page of a home partner's persons, by ref."""
    rows = execute(
        conn,
        f"SELECT {_COLUMNS} {_FROM} WHERE b.home = %s AND b.ref > %s ORDER BY b.ref LIMIT %s",
        (home, after, limit),
    )
    return [_person(row) for row in rows]


def add(conn: Connection, person: Person) -> bool:
    """Insert a person with their key; False if the home partner has that dossier number already."""
    added = execute(
        conn,
        "INSERT INTO beneficiaries (ref, home, local_ref, profile, profile_version, registered)"
        " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (home, local_ref) DO NOTHING",
        (
            person.ref,
            person.home,
            person.local_ref,
            Jsonb(person.profile),
            person.profile_version,
            person.registered,
        ),
    )
    if added.rowcount == 0:
        return False
    execute(conn, "INSERT INTO person_keys (ref, wrapped) VALUES (%s, %s)", (person.ref, person.wrapped_key))
    return True


def set_profile(conn: Connection, ref: UUID, profile: Mapping[str, Any]) -> int:
    """Replace the bands; the new version."""
    return int(
        one(
            conn,
            "UPDATE beneficiaries SET profile = %s, profile_version = profile_version + 1 WHERE ref = %s"
            " RETURNING profile_version",
            (Jsonb(dict(profile)), ref),
        ).profile_version
    )


def wrapped_keys(conn: Connection, refs: Collection[UUID]) -> dict[UUID, str | None]:
    """Wrapped keys by ref; None where one was destroyed, no line where there never was one."""
    rows = execute(conn, "SELECT ref, wrapped FROM person_keys WHERE ref = ANY(%s)", (list(refs),))
    return {row.ref: row.wrapped for row in rows}


def keep_alias(conn: Connection, alias: UUID, ref: UUID, partner: str) -> None:
    """Remember how a partner will name a person."""
    execute(
        conn,
        "INSERT INTO aliases (alias, ref, partner) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        (alias, ref, partner),
    )


def consents(conn: Connection, ref: UUID) -> list[Consent]:
    """The agreements of a person that were not withdrawn."""
    rows = execute(conn, "SELECT * FROM consents WHERE ref = %s AND withdrawn IS NULL", (ref,))
    return [
        Consent(
            frozenset(row.partners),
            row.convention_id,
            frozenset(row.purposes),
            frozenset(row.attributes),
            row.expires_on,
        )
        for row in rows
    ]


def consent_rows(conn: Connection, ref: UUID) -> list[dict[str, Any]]:
    """All agreements of a person, withdrawn ones included, oldest first."""
    rows = execute(conn, "SELECT * FROM consents WHERE ref = %s ORDER BY consent_id", (ref,))
    return [row._asdict() for row in rows]


def add_consent(
    conn: Connection,
    consent_id: UUID,
    ref: UUID,
    consent: Consent,
    channel: str,
    evidence_ref: str | None,
    given: datetime,
) -> None:
    """Record an agreement."""
    execute(
        conn,
        "INSERT INTO consents (consent_id, ref, partners, convention_id, purposes, attributes, channel, evidence_ref,"
        " given, expires_on) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            consent_id,
            ref,
            sorted(consent.partners),
            consent.convention_id,
            sorted(consent.purposes),
            sorted(consent.attributes),
            channel,
            evidence_ref,
            given,
            consent.expires_on,
        ),
    )


def withdraw(conn: Connection, ref: UUID, consent_id: UUID, now: datetime) -> tuple[list[str], bool] | None:
    """Take an agreement back: the partners it named, and whether it was still standing; None if there is none."""
    row = execute(
        conn, "SELECT partners, withdrawn FROM consents WHERE ref = %s AND consent_id = %s", (ref, consent_id)
    ).fetchone()
    if row is None:
        return None
    execute(conn, "UPDATE consents SET withdrawn = coalesce(withdrawn, %s) WHERE consent_id = %s", (now, consent_id))
    return list(row.partners), row.withdrawn is None


def standing(conn: Connection, consent_id: UUID) -> Any | None:
    """An agreement that was not withdrawn, with its person's ref and home."""
    return execute(
        conn,
        "SELECT c.ref, b.home, c.partners FROM consents c JOIN beneficiaries b ON b.ref = c.ref"
        " WHERE c.consent_id = %s AND c.withdrawn IS NULL",
        (consent_id,),
    ).fetchone()


def disclosures(conn: Connection, ref: UUID) -> list[dict[str, Any]]:
    """Who received which attribute, when: what every referral let through."""
    rows = execute(
        conn,
        "SELECT recipient, reference, facts->'disclosed' AS disclosed, facts->>'sent_at' AS at"
        " FROM referrals WHERE ref = %s ORDER BY id",
        (ref,),
    )
    return [
        {"partner": r.recipient, "reference": r.reference, "at": r.at, "attributes": sorted(r.disclosed)} for r in rows
    ]


def _person(row: Any) -> Person:
    return Person(*row)
