"""Partners, conventions and offers: the *bottin social*."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import Connection

from jalons.database import execute, one
from services.referrals.domain.agreement import Convention

Row = dict[str, Any]

_CONVENTION_COLUMNS = (
    "convention_id, parties, status, valid_from, valid_to, scope, shared_attributes, legal_basis,"
    " reply_within_working_days, remind_on_working_days, expire_after_days, escalate_on_working_day, version"
)


def lock_name(conn: Connection, kind: str, name: str) -> None:
    """Hold a directory id until the transaction ends, also one that does not exist yet."""
    execute(conn, "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"{kind} {name}",))


def partner(conn: Connection, slug: str) -> Row | None:
    """One partner."""
    return partners_of(conn, [slug]).get(slug)


def partners_of(conn: Connection, slugs: Collection[str]) -> dict[str, Row]:
    """The partners that exist of these, by slug."""
    rows = execute(conn, "SELECT * FROM partners WHERE slug = ANY(%s)", (sorted(slugs),))
    return {row.slug: row._asdict() for row in rows}


def partners(conn: Connection, after: str, limit: int) -> list[Row]:
    """A page of partners, by slug."""
    rows = execute(conn, "SELECT * FROM partners WHERE slug > %s ORDER BY slug LIMIT %s", (after, limit))
    return [row._asdict() for row in rows]


def save(conn: Connection, table: str, key: str, values: Mapping[str, Any]) -> int:
    """Insert or replace a directory row whole; its new version."""
    columns = ", ".join(values)
    slots = ", ".join(["%s"] * len(values))
    changes = ", ".join(f"{column} = excluded.{column}" for column in values if column != key)
    return int(
        one(
            conn,
            f"INSERT INTO {table} ({columns}) VALUES ({slots}) ON CONFLICT ({key}) DO UPDATE"
            f" SET {changes}, version = {table}.version + 1 RETURNING version",
            tuple(_adapted(value) for value in values.values()),
        ).version
    )


def offer(conn: Connection, name: str) -> Row | None:
    """One offer."""
    row = execute(conn, "SELECT * FROM offers WHERE offer = %s", (name,)).fetchone()
    return row._asdict() if row else None


def offers(conn: Connection, filters: Mapping[str, str], after: str, limit: int) -> list[Row]:
    """A page of offers by name; filters: partner, moment, type, commune_nis, status."""
    where = "".join(f" AND {column} = %s" for column in filters)
    rows = execute(
        conn,
        f"SELECT * FROM offers WHERE offer > %s{where} ORDER BY offer LIMIT %s",
        (after, *filters.values(), limit),
    )
    return [row._asdict() for row in rows]


def convention(conn: Connection, convention_id: UUID) -> Row | None:
    """One convention."""
    row = execute(
        conn,
        f"SELECT {_CONVENTION_COLUMNS} FROM conventions WHERE convention_id = %s",
        (convention_id,),
    ).fetchone()
    return row._asdict() if row else None


def conventions(conn: Connection, party: str | None, after: UUID, limit: int) -> list[Row]:
    """A page of conventions by id; party: only those it is a party of."""
    rows = execute(
        conn,
        f"SELECT {_CONVENTION_COLUMNS} FROM conventions WHERE convention_id > %s"
        " AND (%s::text IS NULL OR parties @> ARRAY[%s::text]) ORDER BY convention_id LIMIT %s",
        (after, party, party, limit),
    )
    return [row._asdict() for row in rows]


def exchange(conn: Connection, referrer: str, recipient: str) -> tuple[dict[str, Row], list[Convention]]:
    """Two partners' rows by slug and the signed conventions between them, in one look: every referral needs both."""
    rows = execute(
        conn,
        "SELECT true AS partner, to_jsonb(p) AS row FROM partners p WHERE slug IN (%s, %s) UNION ALL"
        " SELECT false, to_jsonb(c) FROM conventions c WHERE parties @> ARRAY[%s, %s]::text[] AND status = 'signed'",
        (referrer, recipient, referrer, recipient),
    ).fetchall()
    known = {each.row["slug"]: each.row for each in rows if each.partner}
    signed = [as_convention(_dated(each.row)) for each in rows if not each.partner]
    return known, sorted(signed, key=lambda convention: convention.convention_id)


def between(conn: Connection, referrer: str, recipient: str) -> list[Convention]:
    """The signed conventions both partners are parties of, oldest first."""
    rows = execute(
        conn,
        f"SELECT {_CONVENTION_COLUMNS} FROM conventions"
        " WHERE parties @> %s::text[] AND status = 'signed' ORDER BY convention_id",
        ([referrer, recipient],),
    )
    return [as_convention(row._asdict()) for row in rows]


def as_convention(row: Row) -> Convention:
    """The part of a row that decides whether a referral is covered."""
    return Convention(
        row["convention_id"],
        tuple(row["parties"]),
        row["status"],
        row["valid_from"],
        row["valid_to"],
        tuple((s["from"], s["to"], tuple(s["moments"])) for s in row["scope"]),
        frozenset(row["shared_attributes"]),
        row["reply_within_working_days"],
        tuple(row["remind_on_working_days"]),
        row["escalate_on_working_day"],
        row["expire_after_days"],
    )


def _dated(row: Row) -> Row:
    """A convention that came as JSON, with its id and dates as such."""
    until = row["valid_to"]
    return row | {
        "convention_id": UUID(row["convention_id"]),
        "valid_from": date.fromisoformat(row["valid_from"]),
        "valid_to": date.fromisoformat(until) if until else None,
    }


def set_status(conn: Connection, table: str, key: str, name: str | UUID, status: str) -> None:
    """Change the status of a directory row."""
    execute(
        conn,
        f"UPDATE {table} SET status = %s, version = version + 1 WHERE {key} = %s",
        (status, name),
    )


def _adapted(value: object) -> object:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return Jsonb(value)
    if isinstance(value, date | str | int | UUID) or value is None:
        return value
    return list(value) if isinstance(value, Sequence) else value
