"""Every table of the schema `observation`: the one place that says what is kept."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    MetaData,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from jalons.messaging import tables as messaging
from jalons.privacy import tables as privacy

metadata = MetaData()

for shared in (*messaging.metadata.sorted_tables, privacy.audit, privacy.forgotten):
    shared.to_metadata(metadata)

_INSTANT = DateTime(timezone=True)

aliases = Table(
    "aliases",
    metadata,
    Column("alias", Uuid, primary_key=True),
    Column("subject", Uuid, nullable=False),
    Column("partner", Text, nullable=False),
    comment="Under which name each partner but the home knows a person",
)

counts = Table(
    "counts",
    metadata,
    Column("measure", Text, primary_key=True),
    Column("month", Text, primary_key=True),
    Column("home", Text, primary_key=True),
    Column("partner", Text, primary_key=True),
    Column("moment", Text, primary_key=True),
    Column("n", BigInteger, nullable=False),
    postgresql_with={"fillfactor": "80"},
)

derivations = Table(
    "derivations",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False),
    Column("subject", Text, nullable=False),
    comment="Where our own derived events, kept in the log, stand in the stream",
)
Index("derivations_subject", derivations.c.subject)

hidden = Table(
    "hidden",
    metadata,
    Column("subject", Uuid, primary_key=True),
    Column("partner", Text, primary_key=True),
    comment="partners that held something of a person and whom no agreement covers any more",
)

paused = Table(
    "paused",
    metadata,
    Column("subject", Uuid, primary_key=True),
    comment="persons whose accompaniment rests: their steps never stall",
)

steps = Table(
    "steps",
    metadata,
    Column("subject", Uuid, primary_key=True),
    Column("first", Uuid, primary_key=True),
    Column("step", Uuid, nullable=False),
    Column("holder", Uuid, nullable=False),
    Column("last_event", Uuid, nullable=False),
    Column("follows", Uuid),
    Column("cause", Uuid),
    Column("last_at", _INSTANT, nullable=False),
    Column("entered_at", _INSTANT, comment="null while a referral has only announced the step"),
    Column("entered_recorded", _INSTANT),
    Column("left_at", _INSTANT),
    Column("left_recorded", _INSTANT),
    Column("stalled", Boolean, nullable=False),
    Column("moment", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("home", Text, nullable=False),
    Column("goal", Text),
    Column("chosen_by", Text),
    Column(
        "resting", Boolean, nullable=False, server_default=text("false"), comment="suspended: its silence means nothing"
    ),
    Column("undone", _INSTANT, comment="when the hub learnt that it was not so; kept for what it knew before"),
)
Index(
    "steps_silent",
    steps.c.last_at,
    postgresql_where=text(
        "entered_at IS NOT NULL AND left_at IS NULL AND (NOT stalled) AND (NOT resting) AND (moment <> 'accueil')"
    ),
)

stream_head = Table(
    "stream_head",
    metadata,
    Column("one", Boolean, primary_key=True, server_default=text("true")),
    Column("position", BigInteger, nullable=False),
    CheckConstraint("one"),
    comment="Held until commit by whoever takes positions from it: so none appears late",
    postgresql_with={"fillfactor": "20"},
)

timeline = Table(
    "timeline",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False),
    Column("time", _INSTANT, nullable=False),
    Column("recorded", _INSTANT, nullable=False),
    Column("subject", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("correlation", Uuid, nullable=False),
    Column("causation", Uuid, nullable=False),
    Column("source", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("partner", Text, nullable=False),
    Column("data", JSONB, nullable=False),
    comment="Every applied event of a person; data is its open part, its sealed part is never kept",
)
Index("timeline_subject", timeline.c.subject, timeline.c.sequence)
