"""The coordinator's list of referrals that nobody answered: who has to be called, and nothing of any person."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row

from jalons.clock import local_date
from jalons.privacy.visibility import Role, visible
from jalons.web.identity import forbidden
from services.referrals.calls.edge import Answer
from services.referrals.deadlines import rows as deadlines
from services.referrals.work import Call


def late_ones(caller: Call, after: str | None, limit: int) -> Callable[[Connection], Answer]:
    """A page, oldest first: spoken reference, from, to, moment, and how many days ago it was sent.

    Raises Problem 403 for anyone but the coordinator.
    """
    if not caller.principal.has("coordinator"):
        raise forbidden("coordinator")

    def page(conn: Connection) -> Answer:
        rows = deadlines.late(conn, after, limit)
        items = [_item(row, caller.today) for row in rows]
        return Answer({"items": items} | ({"next": rows[-1].reference} if len(rows) == limit else {}))

    return page


def _item(row: Row[Any], today: date) -> dict[str, Any]:
    fields = {
        "ref": row.reference,
        "from": row.referrer,
        "to": row.recipient,
        "moment": row.moment,
        "age_days": (today - local_date(row.sent_at)).days,
    }
    return visible("referral", fields, Role.COORDINATOR)
