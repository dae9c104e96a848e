"""Rows of imports: what is pending, the outcome of each row, and the rows that were ever imported.

Functions work in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from services.referrals.tables import import_mappings, import_rows
from services.referrals.tables import imported as _imported
from services.referrals.tables import imports as _imports


@dataclass(frozen=True, slots=True)
class Import:
    """One file. finished: the time its last row was done."""

    id: UUID
    partner: str
    client_id: str
    dry_run: bool
    made: datetime
    finished: datetime | None


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """The outcome of a row: done, already_done, or refused with code, cause and cure."""

    number: int
    outcome: str
    reference: str | None = None
    code: str | None = None
    cause: str | None = None
    cure: str | None = None


@dataclass(frozen=True, slots=True)
class PendingRow:
    """A row that is still to be imported. given: its content, sealed. fingerprint: the same for the same content."""

    number: int
    fingerprint: bytes
    given: str


def add(conn: Connection, new: Import, rows: Sequence[PendingRow], settled: Sequence[RowOutcome]) -> None:
    """Store a file: its pending rows, and the outcomes that are known already."""
    conn.execute(insert(_imports).values(asdict(new)))
    for each in (rows, settled):
        if each:
            conn.execute(insert(import_rows), [{"import_id": new.id, **asdict(row)} for row in each])


def oldest(conn: Connection) -> Import | None:
    """The oldest unfinished import that no other process works on, locked until the transaction ends."""
    unfinished = select(_imports).where(_imports.c.finished.is_(None)).order_by(_imports.c.made, _imports.c.id).limit(1)
    row = conn.execute(unfinished.with_for_update(skip_locked=True)).mappings().first()
    return Import(**row) if row else None


def next_pending(conn: Connection, import_id: UUID) -> PendingRow | None:
    """The next row of an import, in the file's order; None if all are done."""
    rows = import_rows.c
    row = conn.execute(
        select(rows.number, rows.fingerprint, rows.given)
        .where(rows.import_id == import_id, rows.outcome.is_(None))
        .order_by(rows.number)
        .limit(1)
    ).first()
    return PendingRow(*row) if row else None


def imported_as(conn: Connection, partner: str, fingerprint: bytes) -> str | None:
    """The reference of the referral that a row of a partner was imported as, in whatever file; None if it was not."""
    found: str | None = conn.execute(
        select(_imported.c.reference).where(_imported.c.partner == partner, _imported.c.fingerprint == fingerprint)
    ).scalar()
    return found


def keep_imported(conn: Connection, partner: str, fingerprint: bytes, reference: str) -> None:
    """Record that a row was imported, so that no other file imports it again."""
    conn.execute(insert(_imported).values(partner=partner, fingerprint=fingerprint, reference=reference))


def settle(conn: Connection, import_id: UUID, outcome: RowOutcome) -> None:
    """Write the outcome of a row; its content is deleted."""
    row = (import_rows.c.import_id == import_id) & (import_rows.c.number == outcome.number)
    conn.execute(update(import_rows).where(row).values({**asdict(outcome), "given": None}))


def finish(conn: Connection, import_id: UUID, now: datetime) -> None:
    """Record that an import has no pending row left."""
    conn.execute(update(_imports).where(_imports.c.id == import_id).values(finished=now))


def shown(conn: Connection, import_id: UUID, partner: str) -> dict[str, Any] | None:
    """A partner's import, with the number of its rows by outcome."""
    imports, outcome = _imports.c, import_rows.c.outcome
    row = conn.execute(
        select(imports.id.label("import_id"), imports.dry_run, imports.made, imports.finished).where(
            imports.id == import_id, imports.partner == partner
        )
    ).mappings()
    found = row.first()
    if found is None:
        return None
    counts = [func.count().filter(outcome == each).label(each) for each in ("done", "already_done", "refused")]
    counted = conn.execute(
        select(func.count().label("rows"), *counts).select_from(import_rows).where(import_rows.c.import_id == import_id)
    ).mappings()
    return {**found, **counted.one()}


def outcomes(conn: Connection, import_id: UUID, outcome: str | None, after: int, limit: int) -> list[dict[str, Any]]:
    """A page of an import's outcomes, in the file's order."""
    rows = import_rows.c
    page = select(
        rows.number.label("row"), rows.outcome, rows.reference.label("ref"), rows.code, rows.cause, rows.cure
    ).where(rows.import_id == import_id, rows.number > after, rows.outcome.is_not(None))
    if outcome is not None:
        page = page.where(rows.outcome == outcome)
    found = conn.execute(page.order_by(rows.number).limit(limit)).mappings()
    return [{name: value for name, value in row.items() if value is not None} for row in found]


def mapping(conn: Connection, partner: str) -> dict[str, str]:
    """A partner's own headings and the fields they stand for."""
    known = import_mappings.c
    return dict(conn.execute(select(known.mapping).where(known.partner == partner)).scalar() or {})


def keep_mapping(conn: Connection, partner: str, mapping: Mapping[str, str]) -> None:
    """Replace a partner's mapping of headings."""
    new = upsert(import_mappings).values(partner=partner, mapping=dict(mapping))
    conn.execute(new.on_conflict_do_update(index_elements=["partner"], set_={"mapping": new.excluded.mapping}))
