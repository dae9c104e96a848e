"""Rows of imports: what is pending, and the outcome of each row.

Functions work in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from jalons.privacy.disclosure import Alias
from services.referrals.imports.headings import plain
from services.referrals.imports.sheet import LIST_OF
from services.referrals.imports.vocabulary import Vocabulary
from services.referrals.tables import (
    communes,
    erased_dossiers,
    finer_codes,
    import_mappings,
    import_rows,
    offers,
    partners,
)
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
    headings: Mapping[str, str] = field(default_factory=dict)
    outside: Sequence[Sequence[Any]] = ()


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """The outcome of a row: done, already_done, or refused with code, cause and cure."""

    number: int
    outcome: str
    reference: str | None = None
    code: str | None = None
    cause: str | None = None
    cure: str | None = None
    faults: Sequence[Any] | None = None


@dataclass(frozen=True, slots=True)
class PendingRow:
    """A row that is still to be imported. given: its content, sealed. dossier: a keyed hash of its dossier number."""

    number: int
    dossier: UUID | None
    given: str


def dossier(alias: Alias, partner: str, local_ref: str) -> UUID:
    """A keyed hash of a partner's dossier number: what imports know a person by, and what erasure finds them by."""
    return alias(f"dossier {''.join(local_ref.split())}", partner)


def add(conn: Connection, new: Import, rows: Sequence[PendingRow]) -> None:
    """Store a file and its rows, all pending."""
    conn.execute(insert(_imports).values(asdict(new)))
    conn.execute(insert(import_rows), [{"import_id": new.id, **asdict(row)} for row in rows])


def oldest(conn: Connection) -> Import | None:
    """The oldest unfinished import that no other process works on, locked until the transaction ends."""
    unfinished = select(_imports).where(_imports.c.finished.is_(None)).order_by(_imports.c.made, _imports.c.id).limit(1)
    row = conn.execute(unfinished.with_for_update(skip_locked=True)).mappings().first()
    return Import(**row) if row else None


def next_pending(conn: Connection, import_id: UUID) -> PendingRow | None:
    """The next row of an import, in the file's order; None if all are done."""
    rows = import_rows.c
    row = conn.execute(
        select(rows.number, rows.dossier, rows.given)
        .where(rows.import_id == import_id, rows.outcome.is_(None))
        .order_by(rows.number)
        .limit(1)
    ).first()
    return PendingRow(*row) if row else None


def was_erased(conn: Connection, dossier: UUID | None) -> bool:
    """Whether the person of a dossier was erased, and nobody was registered under it since."""
    return conn.execute(select(erased_dossiers.c.at).where(erased_dossiers.c.dossier == dossier)).first() is not None


def forget(conn: Connection, dossier: UUID, now: datetime) -> None:
    """Delete what any import holds of a person who is erased, and remember the dossier, by its hash, as erased."""
    conn.execute(delete(import_rows).where(import_rows.c.dossier == dossier))
    new = upsert(erased_dossiers).values(dossier=dossier, at=now)
    conn.execute(new.on_conflict_do_update(index_elements=["dossier"], set_={"at": now}))


def vocabulary(conn: Connection) -> Vocabulary:
    """What the texts of a table may mean today."""
    active = conn.execute(select(partners.c.slug, partners.c.name).where(partners.c.status == "active"))
    open_ = select(offers.c.offer, offers.c.partner, offers.c.title).where(offers.c.status != "closed")
    reasons = select(finer_codes.c.label, finer_codes.c.code).where(finer_codes.c.list == LIST_OF["reason"])
    return Vocabulary(
        names={row.slug: row.name for row in active},
        offers={row.offer: (row.partner, row.title) for row in conn.execute(open_)},
        communes={row.nis: row.name for row in conn.execute(select(communes.c.nis, communes.c.name))},
        finer={plain(row.label): row.code for row in conn.execute(reasons)},
    )


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
        select(
            imports.id.label("import_id"),
            *(imports.dry_run, imports.made, imports.finished, imports.headings, imports.outside),
        ).where(imports.id == import_id, imports.partner == partner)
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
        rows.number.label("row"),
        *(rows.outcome, rows.reference.label("ref"), rows.code, rows.cause, rows.cure, rows.faults),
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
