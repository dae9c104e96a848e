"""Messaging's tables exist in every service's schema: log, progress, dead letters, waiting events, reconciled."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

metadata = MetaData()

_INSTANT = DateTime(timezone=True)

events = Table(
    "events",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("id", Uuid, nullable=False),
    Column("appended", BigInteger, Identity(always=True), nullable=False, comment="order of appending"),
    Column("position", BigInteger, comment="null until the relay has sent the event"),
    Column("type", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("recorded", _INSTANT, nullable=False),
    Column("value", LargeBinary, nullable=False, comment="the encoded CloudEvent, its sealed part encrypted"),
    Column("readers", ARRAY(Text), comment="partners that may see something of it; null: any; empty once erased"),
    comment="outbox and log in one",
)
Index("events_position", events.c.position, unique=True, postgresql_where=events.c.position.is_not(None))
Index("events_unsent", events.c.appended, postgresql_where=events.c.position.is_(None))

log_generation = Table(
    "log_generation",
    metadata,
    Column("one", Boolean, primary_key=True, server_default=text("true"), comment="the table has one row"),
    Column("generation", Uuid, nullable=False, comment="a log that was restored from a copy gets a new one"),
    CheckConstraint("one"),
    comment="part of partners' cursors, so that one from before a restore is refused",
)

progress = Table(
    "progress",
    metadata,
    Column("source", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("last", BigInteger, nullable=False, comment="sequence of the last event applied"),
    Column("seen", LargeBinary, nullable=False, comment="four bytes of each applied id, by sequence"),
    Column("parked", Boolean, nullable=False, server_default=text("false")),
    comment="how far each (source, subject) was applied",
    postgresql_with={"fillfactor": 80},
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, CheckConstraint("kind IN ('set_aside', 'parked', 'forged')"), nullable=False),
    Column("topic", Text),
    Column("partition", Integer),
    Column("offset", BigInteger),
    Column("source", Text),
    Column("subject", Text),
    Column("sequence", BigInteger),
    Column("event_id", Uuid),
    Column("type", Text),
    Column("reason", Text, nullable=False),
    Column("value", LargeBinary, comment="null if too large to keep, and once resolved"),
    Column("at", _INSTANT, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("1")),
    Column("resolved", _INSTANT),
    comment="records and events that could not be applied, each with its reason",
)
Index(
    "dead_letters_record",
    dead_letters.c.topic,
    dead_letters.c.partition,
    dead_letters.c.offset,
    unique=True,
    postgresql_where=text("kind IN ('set_aside', 'forged')"),
)
Index(
    "dead_letters_forged",
    dead_letters.c.source,
    dead_letters.c.subject,
    dead_letters.c.sequence,
    unique=True,
    postgresql_where=text("kind = 'forged' AND topic IS NULL AND resolved IS NULL"),
)
Index(
    "dead_letters_parked",
    dead_letters.c.source,
    dead_letters.c.subject,
    unique=True,
    postgresql_where=text("kind = 'parked' AND resolved IS NULL"),
)
Index("dead_letters_open", dead_letters.c.at, postgresql_where=dead_letters.c.resolved.is_(None))

waiting = Table(
    "waiting",
    metadata,
    Column("source", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("id", Uuid, nullable=False),
    Column("topic", Text),
    Column("partition", Integer),
    Column("offset", BigInteger),
    Column("value", LargeBinary, nullable=False),
    comment="events behind a parked one of the same subject, in order",
)

reconciled = Table(
    "reconciled",
    metadata,
    Column("source", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
    comment="up to which position of a source's log everything was compared",
)
