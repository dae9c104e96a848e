"""Privacy's tables: the audit of who read or wrote what, and the erasures a service has applied."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, Identity, Index, LargeBinary, MetaData, Table, Text, Uuid, text

metadata = MetaData()

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("call", Uuid, nullable=False, comment="the request in which it was read or written"),
    Column("client", Text, nullable=False),
    Column("partner", Text, nullable=False),
    Column("actor", Text, comment="the partner's own opaque code for the member of staff"),
    Column("noun", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("thing", Uuid, comment="id of the act or agreement"),
    Column("reference", Text, comment="spoken reference of the act"),
    Column("purpose", Text),
    Column("person", LargeBinary, nullable=False, comment="keyed hash of the ref: leads to nobody after erasure"),
    comment="append-only, held by a trigger that lets only the purge of expired lines pass",
)
Index("audit_person", audit.c.person, audit.c.id)
Index("audit_reference", audit.c.reference, audit.c.id, postgresql_where=text("reference IS NOT NULL"))

forgotten = Table(
    "forgotten",
    metadata,
    Column("receipt_id", Uuid, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    comment="erasures this service has applied",
)
