"""How long referrals keeps the rows that only grow; persons' data is kept until erasure instead."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import exists, select

from jalons.process.purge import Expiry
from jalons.process.settings import Settings
from services.referrals.tables import attempts, idempotency, import_rows, imports


def expiries(settings: Settings) -> list[Expiry]:
    """The rules of referrals' own tables. An import's rows go before the import itself."""
    imported = timedelta(days=settings.keep_imports_days)
    finished = select(imports.c.finished).where(imports.c.id == import_rows.c.import_id).scalar_subquery()
    has_rows = exists().where(import_rows.c.import_id == imports.c.id)
    return [
        Expiry(idempotency, idempotency.c.at, timedelta(days=settings.keep_repeated_calls_days)),
        Expiry(attempts, attempts.c.since, timedelta(days=1)),
        Expiry(import_rows, finished, imported),
        Expiry(imports, imports.c.finished, imported, only=(~has_rows,)),
    ]
