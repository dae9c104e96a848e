"""Every table of the schema `notifications`: the one place that says what is kept."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from jalons.messaging import tables as messaging
from jalons.privacy import tables as privacy

metadata = MetaData()

for shared in (*messaging.metadata.sorted_tables, privacy.forgotten):
    shared.to_metadata(metadata)

_INSTANT = DateTime(timezone=True)

partners = Table(
    "partners",
    metadata,
    Column("slug", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("mailbox", Text, nullable=False, comment="empty if the record has none"),
    Column("phone", Text, nullable=False),
    Column("phone_hours", Text),
    Column("language", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("trial", Boolean, nullable=False),
    Column("front", Boolean, nullable=False, comment="speaks to employers for the network"),
    comment="projection of the directory: the newest record of each partner",
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("partner", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("url", Text, nullable=False),
    Column("types", ARRAY(Text), nullable=False, comment="event types; `*` matches any run of characters"),
    Column("mode", Text, nullable=False, comment="id_only: the body holds id, type and time"),
    Column("status", Text, nullable=False),
    Column("cause", Text, comment="why it is disabled: a code of deliveries/causes.py"),
    Column("made", _INSTANT, nullable=False),
    Column("changed", _INSTANT, nullable=False),
    CheckConstraint("mode IN ('full', 'id_only')"),
    CheckConstraint("status IN ('active', 'paused', 'disabled')"),
    comment="webhooks that partners asked for",
)

secrets = Table(
    "secrets",
    metadata,
    Column("partner", Text, nullable=False),
    Column("subscription", Text, nullable=False),
    Column(
        "secret", Text, nullable=False, comment="sealed under the hub's secret key, bound to partner and subscription"
    ),
    Column("made", _INSTANT, nullable=False),
    Column("until", _INSTANT, comment="a rotated secret signs until then; null for the current one"),
    ForeignKeyConstraint(
        ["partner", "subscription"], ["subscriptions.partner", "subscriptions.name"], ondelete="CASCADE"
    ),
    comment="what webhooks are signed with",
)
Index("secrets_current", secrets.c.partner, secrets.c.subscription, unique=True, postgresql_where=text("until IS NULL"))

deliveries = Table(
    "deliveries",
    metadata,
    Column("delivery_id", Uuid, primary_key=True, comment="derived from event, channel and recipient"),
    Column("event_id", Uuid, nullable=False),
    Column("about_type", Text, nullable=False, comment="the event's type"),
    Column("reference", Text, comment="the spoken reference of the act"),
    Column("channel", Text, nullable=False),
    Column("recipient", Text, nullable=False, comment="a partner's slug, or `coordinator`"),
    Column("contact", Text, comment="the other party, whom an e-mail names"),
    Column("subscription", Text, comment="a webhook's subscription, by its name"),
    Column("trial", Boolean, nullable=False),
    Column("status", Text, nullable=False),
    Column("cause", Text, comment="why it was not sent, or not yet: a code of deliveries/causes.py"),
    Column("due_at", _INSTANT, nullable=False, comment="when it is attempted or checked next"),
    Column("since", _INSTANT, nullable=False, comment="start of the window after which it is given up"),
    Column("made", _INSTANT, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("facts", JSONB(none_as_null=True), comment="what an e-mail says, never anything sealed"),
    Column("body", Text, comment="a webhook's body, sealed; null once it was sent or given up"),
    Column("person", LargeBinary, comment="keyed hash of the ref: a withdrawal finds pending deliveries by it"),
    Column("correlation", Uuid, nullable=False),
    Column("traceparent", Text),
    CheckConstraint("status IN ('pending', 'waiting', 'sent', 'failed', 'suppressed')"),
    CheckConstraint("channel IN ('email', 'webhook')"),
    comment="one message about one event, to one recipient, by one channel",
)
Index(
    "deliveries_due",
    deliveries.c.channel,
    deliveries.c.recipient,
    deliveries.c.due_at,
    postgresql_where=text("status IN ('pending', 'waiting')"),
)
Index("deliveries_made", deliveries.c.made.desc(), deliveries.c.delivery_id)
Index("deliveries_person", deliveries.c.person, postgresql_where=text("person IS NOT NULL"))
Index("deliveries_recipient", deliveries.c.recipient, deliveries.c.made.desc(), deliveries.c.delivery_id)

attempts = Table(
    "attempts",
    metadata,
    Column("delivery_id", Uuid, ForeignKey("deliveries.delivery_id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("began", _INSTANT, nullable=False),
    Column("ended", _INSTANT),
    Column("outcome", Text),
    Column("cause", Text),
    comment="committed before anything is sent: an attempt without an end was cut short by a crash",
)

queues = Table(
    "queues",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("recipient", Text, primary_key=True),
    Column("free_at", _INSTANT, nullable=False, comment="until then a worker holds it, or it rests after a failure"),
    comment="one message at a time per recipient and channel; the queue served longest ago comes first",
    postgresql_with={"fillfactor": "80"},
)

operator_told = Table(
    "operator_told",
    metadata,
    Column("one", Integer, CheckConstraint("one = 1"), primary_key=True, autoincrement=False),
    Column("degraded", Boolean, nullable=False, comment="whether the last mail said that something does not work"),
    Column("changing", _INSTANT, comment="since when the opposite of that has held"),
    Column("week", Date, comment="the Monday of the last weekly mail"),
    comment="one row: what the operator was told last",
)
