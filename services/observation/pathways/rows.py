"""Observation's SQL on a person's way: set-wise, in the caller's transaction, a handful of statements a batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import Connection

from jalons.database import FEW, execute, given, one, pipelined
from jalons.inserts import Inserts, Into
from jalons.messaging.codec import opened, read
from schemas.catalogue import TYPES
from schemas.envelope import Event
from schemas.need import UnmetV1
from services.observation.counts.rules import Cell
from services.observation.pathways.rules import Step

CHANNEL = "jalons_stream"
"""The NOTIFY channel on which streams are woken; each process listens on one connection."""

_TYPES = {
    "UUID": "uuid",
    "UUID | None": "uuid",
    "datetime": "timestamptz",
    "datetime | None": "timestamptz",
    "bool": "boolean",
}
_FIELDS = tuple(field.name for field in fields(Step))
_values = attrgetter(*_FIELDS)  # `astuple` copies every value deeply: a third of a batch's time
_COLUMNS = ", ".join(f'"{name}"' for name in _FIELDS)
_STEP_KINDS = ", ".join(f'"{field.name}" {_TYPES.get(str(field.type), "text")}' for field in fields(Step))
_CHANGES = ", ".join(f'"{name}" = excluded."{name}"' for name in _FIELDS if name != "first")
_OF_PERSON = (
    f"SELECT {_COLUMNS} FROM steps WHERE subject = %(person)s AND entered_recorded <= %(as_of)s"
    " AND (undone IS NULL OR undone > %(as_of)s) ORDER BY entered_at, entered_recorded, first"
)
_SILENT = (
    f"SELECT s.subject, {_COLUMNS} FROM steps s"
    " WHERE entered_at IS NOT NULL AND left_at IS NULL AND NOT stalled AND NOT resting AND moment <> 'accueil'"
    " AND last_at < %s AND NOT EXISTS (SELECT 1 FROM paused p WHERE p.subject = s.subject)"
)
_TIMELINE = "position, sequence, time, recorded, subject, id, correlation, causation, source, type, partner, data"
TIMELINE = Into(
    "timeline",
    "position bigint, sequence bigint, time timestamptz, recorded timestamptz, subject uuid, id uuid, correlation uuid,"
    " causation uuid, source text, type text, partner text, data jsonb",
)
DERIVATIONS = Into("derivations", "position bigint, sequence bigint, subject text")
STEPS = Into("steps", f"subject uuid, {_STEP_KINDS}", f"ON CONFLICT (subject, first) DO UPDATE SET {_CHANGES}")
COUNTS = Into(
    "counts",
    "measure text, month text, home text, partner text, moment text, n bigint",
    "ON CONFLICT (measure, month, home, partner, moment) DO UPDATE SET n = counts.n + excluded.n",
)
ALIASES = Into("aliases", "alias uuid, subject uuid, partner text", "ON CONFLICT DO NOTHING")
PAUSED = Into("paused", "subject uuid", "ON CONFLICT DO NOTHING")
HIDDEN = Into("hidden", "subject uuid, partner text", "ON CONFLICT DO NOTHING")
_OWN = "d.position" + ", NULL" * _TIMELINE.count(",")
_PAGE = (
    "WITH head AS (SELECT least(position, %(after)s + %(most)s) AS upto FROM stream_head)"
    f" SELECT head.upto, s.* FROM head LEFT JOIN (SELECT {_TIMELINE}, NULL::bytea AS value FROM timeline"
    " WHERE position > %(after)s AND position <= (SELECT upto FROM head)"
    f" UNION ALL SELECT {_OWN}, e.value FROM derivations d JOIN events e USING (subject, sequence)"
    " WHERE d.position > %(after)s AND d.position <= (SELECT upto FROM head)) s ON true ORDER BY s.position"
)


def known_steps(conn: Connection, subjects: Collection[str], whole: Collection[str]) -> dict[str, list[Step]]:
    """The announced and open steps of these persons; of those in `whole` also the steps that are over."""
    found: dict[str, list[Step]] = defaultdict(list)
    asked, values = given("uuid bool", [(subject, subject in whole) for subject in sorted(subjects)])
    rows = execute(
        conn,
        f"SELECT subject, {_COLUMNS} FROM {asked} AS k(subject, whole) JOIN steps USING (subject)"
        " WHERE undone IS NULL AND (left_at IS NULL OR whole) ORDER BY first",
        values,
    )
    for subject, *step in rows:
        found[str(subject)].append(Step(*step))
    return found


def save_steps(rows: Inserts, changed: Mapping[tuple[str, UUID], Step]) -> None:
    """Insert or replace these steps, by (person, first event)."""
    rows.add(STEPS, *((subject, *_values(step)) for (subject, _), step in changed.items()))


def take_positions(conn: Connection, number: int) -> int:
    """The first of that many new positions in the stream. Whoever has taken some holds all others up until it commits,
    so that a reader of `after=` never misses one that appears late: it is the last thing to wait for. Streams are woken
    once it has committed."""
    last = one(
        conn,
        "UPDATE stream_head SET position = position + %s RETURNING position, pg_notify(%s, '') AS wakes",
        (number, CHANNEL),
    ).position
    return int(last) - number + 1


def add_to_timeline(rows: Inserts, conn: Connection, events: Iterable[tuple[int, Event]]) -> None:
    """Events with their positions; what is sealed is left out. Many go by COPY, at once; a few with the other rows."""
    lines = [(position, *_envelope(e), _open_part(e)) for position, e in events]
    if len(lines) <= FEW:
        rows.add(TIMELINE, *lines)
        return
    with _cursor(conn) as cursor, cursor.copy(f"COPY timeline ({_TIMELINE}) FROM STDIN") as copy:
        for line in lines:
            copy.write_row(line)


def _envelope(e: Event) -> tuple[Any, ...]:
    return (
        *(e.sequence, e.time, e.recorded, UUID(e.subject), e.id, e.correlation, e.causation),
        *(e.source, e.type, e.partner),
    )


def _open_part(e: Event) -> str:
    return e.data.model_dump_json(exclude_none=True, exclude_defaults=True)


def add_derivations(rows: Inserts, derived: Iterable[tuple[int, Event]]) -> None:
    """Where our own events stand in the stream."""
    rows.add(DERIVATIONS, *((at, event.sequence, event.subject) for at, event in derived))


def add_counts(rows: Inserts, added: Mapping[Cell, int]) -> None:
    """Add to the counts, by key in one order; a number below 0 takes off."""
    rows.add(COUNTS, *((*cell, added[cell]) for cell in sorted(added)))


def add_aliases(rows: Inserts, aliases: Mapping[UUID, tuple[str, str]]) -> None:
    """alias → (person, partner); one that is known stays."""
    rows.add(ALIASES, *((alias, *whose) for alias, whose in aliases.items()))


def person_of(conn: Connection, named: UUID, reader: str) -> UUID | None:
    """The person that a reader means: by the ref if it is the home partner, else by its own alias; None: not known, or
    hidden since no agreement covers the reader any more."""
    row = execute(
        conn,
        "SELECT %(named)s::uuid AS subject WHERE %(reader)s = (SELECT data->>'home' FROM timeline"
        " WHERE subject = %(named)s ORDER BY sequence DESC LIMIT 1)"
        " UNION ALL SELECT subject FROM aliases a WHERE alias = %(named)s AND partner = %(reader)s AND NOT EXISTS"
        " (SELECT 1 FROM hidden h WHERE h.subject = a.subject AND h.partner = a.partner) LIMIT 1",
        {"named": named, "reader": reader},
    ).fetchone()
    return row.subject if row else None


def home_ref(conn: Connection, named: UUID, partner: str) -> UUID | None:
    """The ref of a partner's own person; None for a person it knows by an alias, and for a stranger."""
    person = person_of(conn, named, partner)
    return person if person == named else None


def of_referrals(conn: Connection, referrals: Mapping[UUID, str]) -> dict[UUID, list[Event]]:
    """What happened to these referrals (id → person) and what they left unmet so far, in order, nothing sealed."""
    found: dict[UUID, list[Event]] = {referral: [] for referral in referrals}
    rows = execute(
        conn,
        f"SELECT {_TIMELINE} FROM timeline WHERE subject = ANY(%s::uuid[])"
        " AND data->>'referral_id' = ANY(%s) AND (type LIKE 'jalons.referral.%%' OR type = %s)"
        " ORDER BY subject, sequence",
        (sorted(set(referrals.values())), [str(each) for each in referrals], UnmetV1.TYPE),
    )
    for row in rows:
        found[UUID(row.data["referral_id"])].append(_event(row))
    return found


def events_of(conn: Connection, person: UUID, as_of: datetime) -> list[Event]:
    """What was recorded of a person by then, in its order, without sealed parts."""
    rows = execute(
        conn,
        f"SELECT {_TIMELINE} FROM timeline WHERE subject = %s AND recorded <= %s ORDER BY sequence",
        (person, as_of),
    )
    return [_event(row) for row in rows]


def steps_of(conn: Connection, person: UUID, as_of: datetime) -> list[Step]:
    """The steps entered as the hub knew them then, by when they began; what it did not know yet has not happened: one
    left later is still open, one voided later is still there."""
    steps = []
    for row in execute(conn, _OF_PERSON, {"person": person, "as_of": as_of}):
        step = dict(zip(_FIELDS, row, strict=True))
        if step["left_recorded"] is not None and step["left_recorded"] > as_of:
            step |= {"left_at": None, "left_recorded": None}
        steps.append(Step(**step))
    return steps


def save_pauses(rows: Inserts, conn: Connection, paused: Mapping[str, bool]) -> None:
    """Who is paused now, and who is no more."""
    rows.add(PAUSED, *((subject,) for subject, rests in paused.items() if rests))
    _take_away(conn, PAUSED, [(subject,) for subject, rests in paused.items() if not rests])


def save_hidden(rows: Inserts, conn: Connection, hidden: Mapping[tuple[str, str], bool]) -> None:
    """From which partners a person's way is hidden now, and from which no more; by (person, partner)."""
    rows.add(HIDDEN, *(whose for whose, hides in hidden.items() if hides))
    _take_away(conn, HIDDEN, [whose for whose, hides in hidden.items() if not hides])


def _take_away(conn: Connection, table: Into, keys: Sequence[Sequence[Any]]) -> None:
    if keys:
        names = ", ".join(name for name, _ in table.kinds)
        source, values = given(" ".join(kind for _, kind in table.kinds), keys)
        execute(conn, f"DELETE FROM {table.table} WHERE ({names}) IN (SELECT * FROM {source} AS k)", values)


def forget(conn: Connection, subject: str, aliases: Sequence[UUID]) -> None:
    """Nothing is kept of a person: neither their way nor the names others ask by."""
    with pipelined(conn):
        for table in ("timeline", "steps", "paused", "hidden", "derivations"):
            execute(conn, f"DELETE FROM {table} WHERE subject = %s", (subject,))
        execute(conn, "DELETE FROM aliases WHERE alias = ANY(%s)", (list(aliases),))


def silent(conn: Connection, before: datetime, most: int) -> list[str]:
    """Persons with a step that has been silent since before then; nothing is held."""
    rows = execute(conn, f"{_SILENT} ORDER BY last_at LIMIT %s", (before, most))
    return sorted({str(row.subject) for row in rows})


def hold_silent(conn: Connection, before: datetime, subjects: Collection[str]) -> list[tuple[str, Step, UUID]]:
    """These persons' silent steps, held, each with the correlation of its last event; held elsewhere: passed over."""
    rows = execute(
        conn,
        f"SELECT k.*, t.correlation FROM ({_SILENT} AND s.subject = ANY(%s::uuid[])"
        " ORDER BY s.subject, first FOR UPDATE SKIP LOCKED) k JOIN timeline t ON t.subject = k.subject"
        " AND t.id = k.last_event ORDER BY k.subject, k.first",
        (before, sorted(subjects)),
    )
    return [(str(subject), Step(*step), correlation) for subject, *step, correlation in rows]


def head(conn: Connection) -> int:
    """The newest position in the stream."""
    return int(one(conn, "SELECT position FROM stream_head").position)


def page(conn: Connection, after: int, most: int) -> tuple[list[tuple[int, Event]], int]:
    """The stream after a position, with positions, and up to where this is all there is; at most so many positions."""
    rows = execute(conn, _PAGE, {"after": after, "most": most}).fetchall()
    upto = max(after, rows[0].upto)
    return [(row.position, _own(row) if row.value else _event(row)) for row in rows if row.position is not None], upto


def _own(row: Any) -> Event:
    return opened(read(bytes(row.value)), None)


def _event(row: Any) -> Event:
    return Event(
        id=row.id,
        source=row.source,
        subject=str(row.subject),
        sequence=row.sequence,
        time=row.time,
        recorded=row.recorded,
        partner=row.partner,
        correlation=row.correlation,
        causation=row.causation,
        data=TYPES[row.type].model_validate(row.data).upcast(),
    )


def _cursor(conn: Connection) -> psycopg.Cursor[Any]:
    """The driver's own cursor in the same transaction, for COPY."""
    cursor: psycopg.Cursor[Any] = conn.connection.cursor()  # type: ignore[assignment]
    return cursor
