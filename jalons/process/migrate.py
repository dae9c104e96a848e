"""Upgrades every service's schema to its newest revision, one process at a time, then creates topics and access."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, create_engine, func, select
from sqlalchemy.schema import CreateSchema, SetColumnComment, SetTableComment

from jalons.messaging.access import make_access
from jalons.messaging.kafka import make_topics
from jalons.process.settings import SERVICES, Settings

Report = Callable[[str], None]
_LOCK = 7_206_115_200
"""The advisory lock under which schemas change: a number that nothing else here uses."""


def migrate(settings: Settings, report: Report = lambda _line: None) -> None:
    """Upgrade the schemas, create the missing topics, and write who may use which.

    Several machines may run it at once, and again.

    Raises SQLAlchemy's and Kafka's errors when a server is away.
    """
    engine = create_engine(settings.direct_url, connect_args={"connect_timeout": 10})
    try:
        with engine.connect() as conn:
            conn.execute(select(func.pg_advisory_lock(_LOCK)))
            conn.commit()
            for service in SERVICES:
                report(f"schema {service}: revision {upgrade(conn, service)}")
    finally:
        engine.dispose()
    made = make_topics(settings)
    report(f"topics: {', '.join(made) if made else 'all exist'}")
    report(f"access: {make_access(settings)}")


class NewerDatabase(Exception):
    """The schema of a service was made by a later version than this."""


def _refuse_newer(conn: Connection, config: Config, service: str) -> None:
    known = {each.revision for each in ScriptDirectory.from_config(config).walk_revisions()}
    found = MigrationContext.configure(conn).get_current_revision()
    conn.commit()
    if found is not None and found not in known:
        raise NewerDatabase(f"the schema {service} is at revision {found}, which this version does not know")


def upgrade(conn: Connection, service: str, schema: str | None = None) -> str | None:
    """Bring one service's schema to its newest revision, in one transaction; returns that revision."""
    name = schema or service
    conn.execute(CreateSchema(name, if_not_exists=True))
    conn.execute(select(func.set_config("search_path", name, False)))
    conn.commit()
    migrations = importlib.import_module(f"services.{service}.migrations")
    config = Config(attributes={"connection": conn})
    config.set_main_option("script_location", str(Path(__file__).with_name("alembic")))
    config.set_main_option("version_locations", str(Path(str(migrations.__file__)).parent))
    config.set_main_option("path_separator", "newline")
    _refuse_newer(conn, config, service)
    command.upgrade(config, "head")
    _comment(conn, importlib.import_module(f"services.{service}.tables").metadata)
    conn.commit()
    return MigrationContext.configure(conn).get_current_revision()


def _comment(conn: Connection, metadata: MetaData) -> None:
    """Write the comments of the tables into the database, for whoever looks with psql."""
    for table in metadata.sorted_tables:
        if table.comment:
            conn.execute(SetTableComment(table))
        for column in table.columns:
            if column.comment:
                conn.execute(SetColumnComment(column))
