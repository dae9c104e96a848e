"""The tables in code are the tables that the migrations make."""

from __future__ import annotations

import importlib
import uuid

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from jalons.embedded.stack import Servers
from jalons.process.migrate import upgrade
from jalons.process.settings import SERVICES


@pytest.mark.parametrize("service", SERVICES)
def test_migrations_make_the_tables_that_the_code_names(servers: Servers, service: str) -> None:
    engine = create_engine(servers.database_url)
    with engine.connect() as conn:
        upgrade(conn, service, f"m_{uuid.uuid4().hex[:12]}")
        context = MigrationContext.configure(conn, opts={"compare_type": True, "compare_server_default": True})
        metadata = importlib.import_module(f"services.{service}.tables").metadata
        assert compare_metadata(context, metadata) == []
    engine.dispose()
