"""Progress per (source, subject) is claimed before anything else is written, so that no event is applied twice."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Connection, Executable, LargeBinary, Text, and_, select, update
from sqlalchemy.dialects.postgresql import insert

from jalons.database import array_rows, as_arrays
from jalons.messaging.tables import progress

Stream = tuple[str, str]
"""(source, subject): the scope in which sequences count."""

_MARK = 4
"""Bytes of each applied id that are kept."""


class Numbered(Protocol):
    """An event with its sequence."""

    @property
    def source(self) -> str:
        """The service whose log the event is from."""

    @property
    def subject(self) -> str:
        """The person or thing the event is about."""

    @property
    def sequence(self) -> int:
        """1, 2, 3 … within (source, subject)."""

    @property
    def id(self) -> UUID:
        """The event's id."""


N = TypeVar("N", bound=Numbered)


class ClaimLost(Exception):
    """Another worker changed the same progress in the meantime; roll back and take the batch again."""


@dataclass(slots=True)
class Progress:
    """One stream's row. seen: four bytes of every applied id, to tell a duplicate from a conflict. stored: whether the
    row exists."""

    last: int = 0
    seen: bytes = b""
    parked: bool = False
    stored: bool = False

    def has(self, event: Numbered) -> bool:
        """Whether the event applied under this sequence (at or below `last`) is this event."""
        at = (event.sequence - 1) * _MARK
        return self.seen[at : at + _MARK] == event.id.bytes[-_MARK:]

    def mark(self, sequence: int) -> bytes:
        """What is kept of the id applied under this sequence."""
        return self.seen[(sequence - 1) * _MARK : sequence * _MARK]

    def advance(self, event: Numbered) -> None:
        """Count the next event as applied."""
        self.last = event.sequence
        self.seen += event.id.bytes[-_MARK:]


@dataclass(slots=True)
class Claim(Generic[N]):
    """A batch, sorted: each event is in exactly one list, and every list keeps the batch's order.

    ready: next in sequence, to be applied now. gaps: ahead; fetch what follows `last[stream]` first. seen: applied
    before. waiting: behind a parked event. conflicts: the sequence was applied under another id. last: the sequence
    applied last, per stream.
    """

    ready: list[N] = field(default_factory=list)
    gaps: list[N] = field(default_factory=list)
    seen: list[N] = field(default_factory=list)
    waiting: list[N] = field(default_factory=list)
    conflicts: list[N] = field(default_factory=list)
    last: dict[Stream, int] = field(default_factory=dict)


def judge(rows: dict[Stream, Progress], events: Sequence[N]) -> Claim[N]:
    """Sort a batch by its streams' progress. Pure, except that `rows` advance over the events that are ready."""
    claim: Claim[N] = Claim()
    for event in events:
        row = rows.setdefault((event.source, event.subject), Progress())
        if event.sequence <= row.last:
            (claim.seen if row.has(event) else claim.conflicts).append(event)
        elif row.parked:  # the parked event itself has the next sequence; it is stored already
            (claim.seen if event.sequence == row.last + 1 else claim.waiting).append(event)
        elif event.sequence == row.last + 1:
            row.advance(event)
            claim.ready.append(event)
        else:
            claim.gaps.append(event)
    claim.last = {stream: row.last for stream, row in rows.items()}
    return claim


def claim(conn: Connection, events: Sequence[N]) -> Claim[N]:
    """Advance the progress of a batch, as the first statement of the transaction that applies it.

    This is the only writer of progress. It reads the rows, inserts those that are new and updates the others only
    where they are still as read. Raises ClaimLost if fewer rows were written than asked: another worker has the batch.

    Measured: one event takes 1.2 ms (1.0 with `executemany`, 0.5 in SQL on the driver's cursor), 500 events 40 ms (70
    and 40).
    """
    rows = load(conn, {(event.source, event.subject) for event in events})
    before = {stream: row.last for stream, row in rows.items()}
    claimed = judge(rows, events)
    new, moved = [], []
    for stream, row in sorted(rows.items(), key=itemgetter(0)):
        if row.last != before.get(stream, 0):
            values = {"source": stream[0], "subject": stream[1], "last": row.last, "seen": row.seen}
            if row.stored:
                added = row.seen[before[stream] * _MARK :]
                moved.append(values | {"before": before[stream], "seen": added})
            else:
                new.append(values)
    _write(conn, _INSERT, new)
    _write(conn, _UPDATE, moved)
    if claimed.waiting:
        _lock_parked(conn, {(event.source, event.subject) for event in claimed.waiting})
    return claimed


def load(conn: Connection, streams: Collection[Stream]) -> dict[Stream, Progress]:
    """The stored rows of these streams."""
    if not streams:
        return {}
    rows = conn.execute(_LOAD, as_arrays(_named(streams)))
    return {(row.source, row.subject): Progress(row.last, row.seen, row.parked, stored=True) for row in rows}


def park(conn: Connection, event: Numbered) -> bool:
    """Stop the event's stream just before it. False: the stream is parked already. Raises ClaimLost if the event is
    not the next one."""
    stream = (event.source, event.subject)
    new = insert(progress).values(source=event.source, subject=event.subject, last=0, seen=b"")
    conn.execute(new.on_conflict_do_nothing())
    row = lock(conn, stream)
    if row.parked:
        return False
    if row.last != event.sequence - 1:
        raise ClaimLost
    _set_parked(conn, stream, parked=True)
    return True


def replace_applied(conn: Connection, event: Numbered) -> bool:
    """Note that this event is applied under its sequence, instead of the one noted before. False: it is the one noted.
    Raises ClaimLost if its sequence was not reached yet."""
    stream = (event.source, event.subject)
    row = lock(conn, stream)
    if event.sequence > row.last:
        raise ClaimLost
    if row.has(event):
        return False
    at = (event.sequence - 1) * _MARK
    seen = row.seen[:at] + mark_of(event.id) + row.seen[at + _MARK :]
    conn.execute(update(progress).where(_is(stream)).values(seen=seen))
    return True


def mark_of(event_id: UUID) -> bytes:
    """What is kept of an applied id."""
    return event_id.bytes[-_MARK:]


def page(conn: Connection, source: str, after: str, most: int) -> list[str]:
    """The next subjects of a source of which something was applied."""
    query = select(progress.c.subject).where(progress.c.source == source, progress.c.subject > after)
    return list(conn.scalars(query.order_by(progress.c.subject).limit(most)))


def lift(conn: Connection, stream: Stream) -> None:
    """Unpark a stream whose row the caller has locked."""
    _set_parked(conn, stream, parked=False)


def lock(conn: Connection, stream: Stream) -> Progress:
    """The stream's row, locked until the transaction ends. Raises ClaimLost if there is none."""
    row = conn.execute(select(progress).where(_is(stream)).with_for_update()).one_or_none()
    if row is None:
        raise ClaimLost
    return Progress(row.last, row.seen, row.parked, stored=True)


_STREAMS = array_rows(source=Text, subject=Text)
_SAME = (progress.c.source == _STREAMS.c.source) & (progress.c.subject == _STREAMS.c.subject)
_LOAD = select(progress).join(_STREAMS, _SAME)
_LOCK_PARKED = (
    select(progress.c.subject)
    .join(_STREAMS, _SAME)
    .where(progress.c.parked)
    .order_by(progress.c.source, progress.c.subject)
    .with_for_update(of=progress)
)
_NEW = array_rows(source=Text, subject=Text, last=BigInteger, seen=LargeBinary)
_INSERT = (
    insert(progress)
    .from_select([column.name for column in _NEW.c], select(_NEW))
    .on_conflict_do_nothing()
    .execution_options(preserve_rowcount=True)
)
_MOVED = array_rows(source=Text, subject=Text, before=BigInteger, last=BigInteger, seen=LargeBinary)
_UPDATE = (
    update(progress)
    .values(last=_MOVED.c.last, seen=progress.c.seen.concat(_MOVED.c.seen))
    .where(
        progress.c.source == _MOVED.c.source,
        progress.c.subject == _MOVED.c.subject,
        progress.c.last == _MOVED.c.before,
        ~progress.c.parked,
    )
)


def _write(conn: Connection, statement: Executable, rows: Sequence[Mapping[str, object]]) -> None:
    if rows and conn.execute(statement, as_arrays(rows)).rowcount != len(rows):
        raise ClaimLost


def _lock_parked(conn: Connection, streams: set[Stream]) -> None:
    """Keep these streams parked until the commit: a retry that drains them sees the added rows, or comes after."""
    if len(conn.execute(_LOCK_PARKED, as_arrays(_named(streams))).all()) != len(streams):
        raise ClaimLost


def _set_parked(conn: Connection, stream: Stream, *, parked: bool) -> None:
    conn.execute(update(progress).where(_is(stream)).values(parked=parked))


def _named(streams: Collection[Stream]) -> list[dict[str, str]]:
    return [{"source": source, "subject": subject} for source, subject in sorted(streams)]


def _is(stream: Stream) -> ColumnElement[bool]:
    return and_(progress.c.source == stream[0], progress.c.subject == stream[1])
