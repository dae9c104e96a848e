"""A restore takes effect whole or not at all, forgets again whom the hub had forgotten, and marks the log as another.

Whoever was erased after the backup was made is found in the list beside the backups and in the database that is
replaced. Their keys are destroyed, and the logs of all services begin a new generation, in the transaction that brings
the data back: no crash leaves them readable, nor lets a reader's cursor from before skip what comes after.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection
from uuid import UUID, uuid4

from sqlalchemy import ClauseElement, Connection, Text, Uuid, column, create_engine, null, select, table, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import DropSchema

from jalons.backup import programs
from jalons.backup.archive import Backup
from jalons.backup.erased import ErasedList
from jalons.embedded import CannotStart
from jalons.process.migrate import upgrade
from jalons.process.settings import SERVICES, Settings

_person_keys = table("person_keys", column("ref", Uuid), column("wrapped", Text), schema="referrals")
_generations = [table("log_generation", column("generation", Uuid), schema=service) for service in SERVICES]
_activity = table("pg_stat_activity", column("datname"), column("application_name"))


def restore(settings: Settings, backup: Backup, erased: ErasedList) -> int:
    """Replace the database by a backup, upgrade it to this version, and erase whom the list names; returns how many.

    settings: with the secret key that the data was written with. Raises CannotStart, with nothing changed, if services
    run, the key does not fit or the data cannot be read back; and the database's errors.
    """
    if not backup.manifest.opened_by(settings.secret_key.get_secret_value()):
        raise CannotStart(
            "The secret key is not the one that this backup was made with; nothing sealed in it could be read.",
            "Set JALONS_SECRET_KEY to the key the hub had when the backup was made.",
        )
    engine = create_engine(settings.direct_url)
    try:
        with engine.connect() as conn:
            _refuse_services(conn)
            erased.add(_destroyed(conn))
        with backup.dump() as sql:
            programs.load(settings.direct_url, _before(), sql, _after(erased.refs()))
        with engine.connect() as conn:
            for service in SERVICES:
                upgrade(conn, service)
    finally:
        engine.dispose()
    return int(importlib.import_module("services.referrals.erasure.listed").erase_listed(settings, erased))


def _refuse_services(conn: Connection) -> None:
    found = select(_activity.c.application_name).where(_activity.c.application_name.like("jalons-%"))
    if names := conn.scalars(found.distinct()).all():
        raise CannotStart(
            f"Services work on this database ({', '.join(sorted(names))}).", "Stop all of them, then restore."
        )


def _destroyed(conn: Connection) -> Collection[UUID]:
    """The refs of everyone erased in the database that is replaced; none in a new one."""
    if not conn.dialect.has_table(conn, _person_keys.name, schema=_person_keys.schema):
        return ()
    return conn.scalars(select(_person_keys.c.ref).where(_person_keys.c.wrapped.is_(None))).all()


def _before() -> list[str]:
    return [_sql(DropSchema(service, cascade=True, if_exists=True)) for service in SERVICES]


def _after(refs: Collection[UUID]) -> list[str]:
    statements: list[ClauseElement] = [update(each).values(generation=uuid4()) for each in _generations]
    if refs:
        statements.append(update(_person_keys).where(_person_keys.c.ref.in_(refs)).values(wrapped=null()))
    return [_sql(each) for each in statements]


def _sql(statement: ClauseElement) -> str:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
