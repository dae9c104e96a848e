"""How far each (source, subject) was applied; claimed before anything else is written, so that nobody applies twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import Connection

from jalons.database import execute, given

Stream = tuple[str, str]
"""(source, subject): what a sequence counts in."""

_MARK = 4


class Numbered(Protocol):
    """Anything that has a place in its source's numbering."""

    @property
    def source(self) -> str:
        """Which service's log."""

    @property
    def subject(self) -> str:
        """Whom or what it is about."""

    @property
    def sequence(self) -> int:
        """1, 2, 3 … within (source, subject)."""

    @property
    def id(self) -> UUID:
        """The event's id."""


N = TypeVar("N", bound=Numbered)


class ClaimLost(Exception):
    """Another worker moved the same progress in the meantime; the batch is taken again."""


@dataclass(slots=True)
class Progress:
    """One stream's row. seen holds four bytes of every applied id, so that a duplicate differs from a conflict."""

    last: int = 0
    seen: bytes = b""
    parked: bool = False
    known: bool = False

    def has(self, event: Numbered) -> bool:
        """Whether the event at this number, at or below `last`, is the one that was applied."""
        at = (event.sequence - 1) * _MARK
        return self.seen[at : at + _MARK] == event.id.bytes[-_MARK:]

    def advance(self, event: Numbered) -> None:
        """Count an event that is in its turn."""
        self.last = event.sequence
        self.seen += event.id.bytes[-_MARK:]


@dataclass(slots=True)
class Claim(Generic[N]):
    """What a batch comes to: each event is in exactly one list, every list in the batch's order.

    ready: in turn, to be applied now. gaps: ahead of its turn; last says after which number to fetch. seen: applied
    before. waiting: behind a parked event. conflicts: a number applied before, under another id.
    """

    ready: list[N] = field(default_factory=list)
    gaps: list[N] = field(default_factory=list)
    seen: list[N] = field(default_factory=list)
    waiting: list[N] = field(default_factory=list)
    conflicts: list[N] = field(default_factory=list)
    last: dict[Stream, int] = field(default_factory=dict)


def judge(progress: dict[Stream, Progress], events: Sequence[N]) -> Claim[N]:
    """Sort a batch by its streams' progress, which is moved on for the events that are ready. Pure but for that."""
    claim: Claim[N] = Claim()
    for event in events:
        row = progress.setdefault((event.source, event.subject), Progress())
        if event.sequence <= row.last:
            (claim.seen if row.has(event) else claim.conflicts).append(event)
        elif row.parked:  # the parked event itself is the next one; it is kept already
            (claim.seen if event.sequence == row.last + 1 else claim.waiting).append(event)
        elif event.sequence == row.last + 1:
            row.advance(event)
            claim.ready.append(event)
        else:
            claim.gaps.append(event)
    claim.last = {stream: row.last for stream, row in progress.items()}
    return claim


def claim(conn: Connection, events: Sequence[N]) -> Claim[N]:
    """Move the progress of a batch, first thing in the transaction that applies it; the only writer of progress.

    New rows are inserted and others updated only where they still are as read; fewer rows than asked means that
    somebody else was there. Raises ClaimLost: the transaction must then be rolled back and the batch taken again.
    """
    progress = load(conn, {(event.source, event.subject) for event in events})
    before = {stream: row.last for stream, row in progress.items()}
    claimed = judge(progress, events)
    moved = {stream: row for stream, row in progress.items() if row.last != before.get(stream, 0)}
    _insert(conn, {stream: row for stream, row in moved.items() if not row.known})
    _update(conn, {stream: row for stream, row in moved.items() if row.known}, before)
    if claimed.waiting:
        _hold_parked(conn, {(event.source, event.subject) for event in claimed.waiting})
    return claimed


def load(conn: Connection, streams: set[Stream]) -> dict[Stream, Progress]:
    """The rows that exist of these streams."""
    asked, values = given("text text", sorted(streams))
    rows = execute(
        conn,
        "SELECT p.source, p.subject, p.last, p.seen, p.parked FROM progress p"  # noqa: S608 - no value in it
        f" JOIN {asked} AS k(source, subject) USING (source, subject)",
        values,
    )
    return {(r.source, r.subject): Progress(r.last, bytes(r.seen), r.parked, known=True) for r in rows}


def park(conn: Connection, event: Numbered) -> bool:
    """Stop the event's stream just before it; False where the stream was parked already. Raises ClaimLost where the
    event is not the next one."""
    stream = (event.source, event.subject)
    execute(
        conn, "INSERT INTO progress (source, subject, last, seen) VALUES (%s, %s, 0, '') ON CONFLICT DO NOTHING", stream
    )
    row = lock(conn, stream)
    if row.parked:
        return False
    if row.last != event.sequence - 1:
        raise ClaimLost
    _set_parked(conn, stream, parked=True)
    return True


def lift(conn: Connection, stream: Stream) -> None:
    """Let a parked stream go on; its row is locked by the caller's transaction."""
    _set_parked(conn, stream, parked=False)


def lock(conn: Connection, stream: Stream) -> Progress:
    """The stream's row, held until the transaction ends."""
    row = execute(
        conn, "SELECT last, seen, parked FROM progress WHERE source = %s AND subject = %s FOR UPDATE", stream
    ).fetchone()
    if row is None:
        raise ClaimLost
    return Progress(row.last, bytes(row.seen), row.parked, known=True)


def _insert(conn: Connection, rows: dict[Stream, Progress]) -> None:
    if not rows:
        return
    new, values = given(
        "text text bigint bytea", [(*stream, rows[stream].last, rows[stream].seen) for stream in sorted(rows)]
    )
    done = execute(
        conn,
        f"INSERT INTO progress (source, subject, last, seen) SELECT * FROM {new} AS k ON CONFLICT DO NOTHING",  # noqa: S608
        values,
    )
    if done.rowcount != len(rows):
        raise ClaimLost


def _update(conn: Connection, rows: dict[Stream, Progress], before: dict[Stream, int]) -> None:
    if not rows:
        return
    moved, values = given(
        "text text bigint bigint bytea",
        [(*stream, before[stream], rows[stream].last, rows[stream].seen) for stream in sorted(rows)],
    )
    done = execute(
        conn,
        "UPDATE progress p SET last = k.last, seen = k.seen"  # noqa: S608 - no value in it
        f" FROM {moved} AS k(source, subject, before, last, seen)"
        " WHERE p.source = k.source AND p.subject = k.subject AND p.last = k.before AND NOT p.parked",
        values,
    )
    if done.rowcount != len(rows):
        raise ClaimLost


def _hold_parked(conn: Connection, streams: set[Stream]) -> None:
    """Keep these streams parked until we commit: a retry that drains them must see what we add, or come after us."""
    asked, values = given("text text", sorted(streams))
    held = execute(
        conn,
        f"SELECT 1 FROM progress p JOIN {asked} AS k(source, subject) USING (source, subject)"  # noqa: S608
        " WHERE p.parked ORDER BY p.source, p.subject FOR UPDATE OF p",
        values,
    ).fetchall()
    if len(held) != len(streams):
        raise ClaimLost


def _set_parked(conn: Connection, stream: Stream, *, parked: bool) -> None:
    execute(
        conn,
        "UPDATE progress SET parked = %s WHERE source = %s AND subject = %s",
        (parked, *stream),
    )
