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

# pathways/

timeline = Table(
    "timeline",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False, comment="position in the stream"),
    Column("sequence", BigInteger, nullable=False),
    Column("time", _INSTANT, nullable=False),
    Column("recorded", _INSTANT, nullable=False),
    Column("subject", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("correlation", Uuid, nullable=False),
    Column("causation", Uuid, nullable=False),
    Column("source", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("partner", Text, nullable=False, comment="the partner that acted"),
    Column("data", JSONB, nullable=False, comment="open part of the event; the sealed part is never stored"),
    comment="every applied event of a person",
)
Index("timeline_subject", timeline.c.subject, timeline.c.sequence)

steps = Table(
    "steps",
    metadata,
    Column("subject", Uuid, primary_key=True),
    Column("first_event", Uuid, primary_key=True, comment="id of the event that created this row"),
    Column("step", Uuid, nullable=False, comment="identity of the step: its referral's id if it has one"),
    Column("holder", Uuid, nullable=False, comment="referral, training or placement whose end ends the step"),
    Column("last_event", Uuid, nullable=False),
    Column("follows", Uuid, comment="the step this one builds on"),
    Column("cause", Uuid, comment="id of the event that entered the step"),
    Column("last_at", _INSTANT, nullable=False, comment="time of last_event"),
    Column("entered_at", _INSTANT, comment="null while a referral has only announced the step"),
    Column("entered_recorded", _INSTANT),
    Column("left_at", _INSTANT),
    Column("left_recorded", _INSTANT),
    Column("stalled", Boolean, nullable=False, comment="pathway.stalled was published since last_event"),
    Column("moment", Text, nullable=False),
    Column("partner", Text, nullable=False, comment="the partner with which the step takes place"),
    Column("home", Text, nullable=False),
    Column("goal", Text),
    Column("chosen_by", Text),
    Column("suspended", Boolean, nullable=False, server_default=text("false"), comment="a suspended step cannot stall"),
    Column("retracted_at", _INSTANT, comment="when the hub learned that the row is wrong; kept for `as_of`"),
    comment="steps of each person's pathway, derived from the timeline",
)
Index(
    "steps_silent",
    steps.c.last_at,
    postgresql_where=text(
        "entered_at IS NOT NULL AND left_at IS NULL AND (NOT stalled) AND (NOT suspended) AND (moment <> 'accueil')"
    ),
)

paused = Table(
    "paused",
    metadata,
    Column("subject", Uuid, primary_key=True),
    comment="persons whose accompaniment is paused: their steps cannot stall",
)

aliases = Table(
    "aliases",
    metadata,
    Column("alias", Uuid, primary_key=True),
    Column("subject", Uuid, nullable=False),
    Column("partner", Text, nullable=False),
    comment="the alias under which each partner other than the home knows a person",
)

hidden = Table(
    "hidden",
    metadata,
    Column("subject", Uuid, primary_key=True),
    Column("partner", Text, primary_key=True),
    comment="partners that knew a person and are no longer covered by an agreement",
)

# counts/

counts = Table(
    "counts",
    metadata,
    Column("measure", Text, primary_key=True),
    Column("month", Text, primary_key=True, comment="`2026-11`, in Brussels, of when it happened"),
    Column("home", Text, primary_key=True),
    Column("partner", Text, primary_key=True),
    Column("moment", Text, primary_key=True),
    Column("n", BigInteger, nullable=False),
    comment="one row per non-empty combination of dimensions",
    postgresql_with={"fillfactor": "80"},
)

# stream/

stream_head = Table(
    "stream_head",
    metadata,
    Column("one", Boolean, primary_key=True, server_default=text("true"), comment="the table has one row"),
    Column("position", BigInteger, nullable=False, comment="the newest position assigned"),
    CheckConstraint("one"),
    comment="locked until commit by a writer that takes positions, so that positions become visible in order",
    postgresql_with={"fillfactor": "20"},
)

derivations = Table(
    "derivations",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False),
    Column("subject", Text, nullable=False),
    comment="positions in the stream of observation's own events, which are stored in `events`",
)
Index("derivations_subject", derivations.c.subject)
