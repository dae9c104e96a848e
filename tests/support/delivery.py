"""A delivery on real PostgreSQL whose projection is a list of rows, and its source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import BigInteger, Column, Connection, Engine, Identity, MetaData, Table, Text, func, insert, select

from jalons.database import transaction
from jalons.messaging import dead_letters
from jalons.messaging.deliver import Deliver
from jalons.messaging.outbox import Outbox
from jalons.messaging.tables import waiting as waiting_events
from schemas.envelope import Event
from schemas.topics import DIRECTORY, PATHWAYS
from tests.support.events import SOURCE, MemorySource

applied_events = Table(
    "applied",
    MetaData(),
    Column("at", BigInteger, Identity(always=True)),
    Column("subject", Text),
    Column("sequence", BigInteger),
)


class Broken(Exception):
    """A handler that fails."""


@dataclass
class Applied:
    """A service whose projection is a list of rows. broken: the (subject, sequence) pairs its handler fails on."""

    broken: set[tuple[str, int]] = field(default_factory=set)
    sealed_unknown: int = 0

    def __call__(self, conn: Connection, events: Sequence[Event], *, publish: bool = True) -> None:
        for event in events:
            if (event.subject, event.sequence) in self.broken:
                raise Broken(f"about {event.subject} in clear")
            self.sealed_unknown += event.sealed is None and type(event.data).SEALED is not None
            conn.execute(insert(applied_events).values(subject=event.subject, sequence=event.sequence))


@dataclass
class Bench:
    """A delivery, with its source and what it applied."""

    engine: Engine
    source: MemorySource
    applied: Applied
    deliver: Deliver
    outcomes: list[tuple[int | None, str]]

    def order(self, subject: str) -> list[int]:
        query = select(applied_events.c.sequence).where(applied_events.c.subject == subject)
        with transaction(self.engine) as conn:
            return list(conn.scalars(query.order_by(applied_events.c.at)))

    def waiting(self) -> int:
        with transaction(self.engine) as conn:
            return count(conn, waiting_events)

    def letters(self) -> list[dead_letters.DeadLetter]:
        with transaction(self.engine) as conn:
            return dead_letters.listed(conn)


def count(conn: Connection, table: Table) -> int:
    return conn.scalar(select(func.count()).select_from(table)) or 0


def new_bench(database: Engine, source: MemorySource | None = None) -> Bench:
    source, applied, outcomes = source or MemorySource(topics=(PATHWAYS, DIRECTORY)), Applied(), []
    deliver = Deliver(
        "observation",
        database,
        applied,
        Outbox("observation"),
        source.keyring(),
        {SOURCE: source},
        others=frozenset({"/services/observation"}),
        observe=lambda item, outcome: outcomes.append((item.place.offset, outcome)),
    )
    return Bench(database, source, applied, deliver, outcomes)
