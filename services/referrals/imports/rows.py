"""Imports as rows: what waits, what became of each, and what was imported ever; in the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import Connection

from jalons.database import execute, given, one


@dataclass(frozen=True, slots=True)
class Import:
    """One file. finished: when its last row was worked off."""

    id: UUID
    partner: str
    client_id: str
    dry_run: bool
    made: datetime
    finished: datetime | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a row. outcome: done, already_done, or refused with code, cause and cure."""

    number: int
    outcome: str
    reference: str | None = None
    code: str | None = None
    cause: str | None = None
    cure: str | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A row to be worked off, sealed."""

    number: int
    fingerprint: bytes
    given: str


def add(conn: Connection, new: Import, rows: Sequence[Waiting], refused: Sequence[Outcome]) -> None:
    """Keep a file's rows; those refused or done already need no work."""
    execute(
        conn,
        "INSERT INTO imports (id, partner, client_id, dry_run, made) VALUES (%s, %s, %s, %s, %s)",
        (new.id, new.partner, new.client_id, new.dry_run, new.made),
    )
    kept = [(new.id, row.number, row.fingerprint, row.given) for row in rows]
    source, values = given("uuid int bytea text", kept)
    execute(
        conn, f"INSERT INTO import_rows (import_id, number, fingerprint, given) SELECT * FROM {source} AS k", values
    )
    said = [(new.id, each.number, each.outcome, each.reference, each.code, each.cause, each.cure) for each in refused]
    source, values = given("uuid int text text text text text", said)
    execute(
        conn,
        "INSERT INTO import_rows (import_id, number, outcome, reference, code, cause, cure)"
        f" SELECT * FROM {source} AS k",
        values,
    )


def oldest(conn: Connection) -> Import | None:
    """The file to work on; held, so that another process takes another."""
    row = execute(
        conn, "SELECT * FROM imports WHERE finished IS NULL ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"
    ).fetchone()
    return Import(**row._asdict()) if row else None


def waiting(conn: Connection, import_id: UUID, most: int) -> list[Waiting]:
    """Its next rows, in the file's order."""
    rows = execute(
        conn,
        "SELECT number, fingerprint, given FROM import_rows WHERE import_id = %s AND outcome IS NULL"
        " ORDER BY number LIMIT %s",
        (import_id, most),
    )
    return [Waiting(row.number, bytes(row.fingerprint), row.given) for row in rows]


def imported(conn: Connection, partner: str, fingerprints: Collection[bytes]) -> dict[bytes, str]:
    """Fingerprint → reference, of what the partner has imported before."""
    rows = execute(
        conn,
        "SELECT fingerprint, reference FROM imported WHERE partner = %s AND fingerprint = ANY(%s)",
        (partner, list(fingerprints)),
    )
    return {bytes(row.fingerprint): row.reference for row in rows}


def keep_imported(conn: Connection, partner: str, new: Mapping[bytes, str]) -> None:
    """These rows are done for ever."""
    source, values = given("text bytea text", [(partner, mark, reference) for mark, reference in new.items()])
    execute(conn, f"INSERT INTO imported (partner, fingerprint, reference) SELECT * FROM {source} AS k", values)


def settle(conn: Connection, import_id: UUID, outcomes: Sequence[Outcome]) -> None:
    """Write outcomes down; what a row said is destroyed."""
    said = [(each.number, each.outcome, each.reference, each.code, each.cause, each.cure) for each in outcomes]
    source, values = given("int text text text text text", said)
    execute(
        conn,
        "UPDATE import_rows r SET given = NULL, outcome = k.outcome, reference = k.reference, code = k.code,"
        f" cause = k.cause, cure = k.cure FROM {source} AS k(number, outcome, reference, code, cause, cure)"
        " WHERE r.import_id = %s AND r.number = k.number",
        (*values, import_id),
    )


def finish(conn: Connection, import_id: UUID, now: datetime) -> None:
    """Its last row is worked off."""
    execute(conn, "UPDATE imports SET finished = %s WHERE id = %s", (now, import_id))


def shown(conn: Connection, import_id: UUID, partner: str) -> dict[str, Any] | None:
    """A partner's import, with how many rows came to what."""
    row = execute(
        conn,
        "SELECT id AS import_id, dry_run, made, finished FROM imports WHERE id = %s AND partner = %s",
        (import_id, partner),
    ).fetchone()
    if row is None:
        return None
    counted = one(
        conn,
        "SELECT count(*) AS rows, count(*) FILTER (WHERE outcome = 'done') AS done,"
        " count(*) FILTER (WHERE outcome = 'already_done') AS already_done,"
        " count(*) FILTER (WHERE outcome = 'refused') AS refused FROM import_rows WHERE import_id = %s",
        (import_id,),
    )
    found: dict[str, Any] = row._asdict() | counted._asdict()
    return found


def outcomes(conn: Connection, import_id: UUID, outcome: str | None, after: int, limit: int) -> list[dict[str, Any]]:
    """What became of its rows, in the file's order."""
    rows = execute(
        conn,
        "SELECT number AS row, outcome, reference AS ref, code, cause, cure FROM import_rows"
        " WHERE import_id = %s AND number > %s AND outcome IS NOT NULL AND (%s::text IS NULL OR outcome = %s)"
        " ORDER BY number LIMIT %s",
        (import_id, after, outcome, outcome, limit),
    )
    return [{name: value for name, value in row._asdict().items() if value is not None} for row in rows]


def mapping(conn: Connection, partner: str) -> dict[str, str]:
    """A partner's own headings → fields."""
    row = execute(conn, "SELECT mapping FROM import_mappings WHERE partner = %s", (partner,)).fetchone()
    return dict(row.mapping) if row else {}


def keep_mapping(conn: Connection, partner: str, kept: Mapping[str, str]) -> None:
    """Replace it."""
    execute(
        conn,
        "INSERT INTO import_mappings (partner, mapping) VALUES (%s, %s)"
        " ON CONFLICT (partner) DO UPDATE SET mapping = excluded.mapping",
        (partner, Jsonb(dict(kept))),
    )
