"""Brings every service's schema to its newest form, one process at a time, then makes the topics."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text

from jalons.messaging.kafka import make_topics
from jalons.process.settings import SERVICES, Settings

Say = Callable[[str], None]
_LOCK = 7_206_115_200
"""The advisory lock under which schemas change; any constant that nothing else here uses."""


def migrate(settings: Settings, say: Say = lambda _line: None) -> None:
    """Schemas first, then topics; what is there already is left as it is. Safe to run from several machines at once.

    Raises sqlalchemy's and kafka's own errors when a server is away.
    """
    engine = create_engine(settings.direct_url, connect_args={"connect_timeout": 10})
    try:
        with engine.connect() as conn:
            conn.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
            conn.commit()
            for service in SERVICES:
                say(f"schema {service}: revision {upgrade(conn, service)}")
    finally:
        engine.dispose()
    made = make_topics(settings)
    say(f"topics: {', '.join(made) if made else 'all there'}")


def upgrade(conn: Connection, service: str, schema: str | None = None) -> str | None:
    """One service's schema to its newest revision, in one transaction; which that is."""
    module = importlib.import_module(f"services.{service}.migrations")
    folder = Path(str(module.__file__)).parent
    script = ScriptDirectory(str(folder), version_locations=[str(folder)])
    name = schema or service
    conn.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{name}"'))
    conn.execute(text(f'SET search_path TO "{name}"'))
    conn.commit()
    context = MigrationContext.configure(
        conn, opts={"fn": lambda revision, _context: script._upgrade_revs("head", revision)}
    )
    with context.begin_transaction(), Operations.context(context):
        context.run_migrations()
    conn.commit()
    return context.get_current_revision()
