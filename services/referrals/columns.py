"""What tables of referrals share: their metadata, columns that recur, and the form of the three kinds of acts."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from jalons.messaging import tables as messaging
from jalons.privacy import tables as privacy

metadata = MetaData()

for shared in (*messaging.metadata.sorted_tables, privacy.audit):
    shared.to_metadata(metadata)

INSTANT = DateTime(timezone=True)


def texts(*names: str, nullable: bool = False) -> list[Column[str]]:
    """Columns of texts."""
    return [Column(name, Text, nullable=nullable) for name in names]


def added() -> Column[int]:
    """The order in which rows were added: ids that partners meet are random. Partners never see it."""
    return Column("added", BigInteger, Identity(always=True), nullable=False, comment="order of adding")


def act(name: str, *own: Column[Any]) -> Table:
    """One of the three kinds of acts: the columns they share, and its own."""
    return Table(
        name,
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("reference", Text, nullable=False, comment="as spoken, e.g. R-7K4M-2QX"),
        Column("ref", Uuid, nullable=False, comment="the person; a random id once the person is erased"),
        *texts("home", "status"),
        Column("version", Integer, nullable=False),
        Column("facts", JSONB, nullable=False, comment="everything else that was said of it"),
        Column("changed", INSTANT, nullable=False, comment="time of the last write"),
        Column(
            "added",
            BigInteger,
            nullable=False,
            server_default=text("nextval('acts_added')"),
            comment="order of adding, among all acts",
        ),
        *own,
        UniqueConstraint("reference", name=f"{name}_reference_key"),
    )
