"""Upgrades every service's schema to its newest revision, one process at a time, then creates the topics."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, func, select
from sqlalchemy.schema import CreateSchema

from jalons.messaging.kafka import make_topics
from jalons.process.settings import SERVICES, Settings

Report = Callable[[str], None]
_LOCK = 7_206_115_200
"""The advisory lock under which schemas change: a number that nothing else here uses."""


def migrate(settings: Settings, report: Report = lambda _line: None) -> None:
    """Upgrade the schemas, then create the missing topics. Several machines may run it at once, and again.

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


def upgrade(conn: Connection, service: str, schema: str | None = None) -> str | None:
    """Upgrade one service's schema in one transaction; its revision now. schema: another name than the service's."""
    module = importlib.import_module(f"services.{service}.migrations")
    folder = Path(str(module.__file__)).parent
    script = ScriptDirectory(str(folder), version_locations=[str(folder)])
    name = schema or service
    conn.execute(CreateSchema(name, if_not_exists=True))
    conn.execute(select(func.set_config("search_path", name, False)))
    conn.commit()
    context = MigrationContext.configure(conn)
    missing = [*script.iterate_revisions("head", context.get_current_revision() or "base")]
    with context.begin_transaction(), Operations.context(context):
        for revision in reversed(missing):
            revision.module.upgrade()
        context.stamp(script, "head")
    conn.commit()
    return context.get_current_revision()
