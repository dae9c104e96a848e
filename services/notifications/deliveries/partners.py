"""The newest record of each partner, projected from the directory."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from schemas.routing import FRONT
from services.notifications.deliveries import rows
from services.notifications.deliveries.gate import PartnerRecord
from services.notifications.tables import partners


def put(conn: Connection, records: Collection[PartnerRecord], now: datetime) -> None:
    """Keep the newest record of each partner, and make due what waited for it."""
    if not records:
        return
    newest = sorted(records, key=lambda record: record.slug)
    adding = insert(partners)
    changed = {column.name: adding.excluded[column.name] for column in partners.c if not column.primary_key}
    conn.execute(adding.on_conflict_do_update(index_elements=["slug"], set_=changed), [asdict(each) for each in newest])
    fronts = [FRONT] if any(record.front for record in newest) else []
    rows.recheck(conn, [*fronts, *(record.slug for record in newest)], now)


def find(conn: Connection, slugs: Collection[str]) -> dict[str, PartnerRecord]:
    """The records of these partners that are known, by slug; of the network's front under FRONT."""
    speaks = partners.c.front & (partners.c.status == "active")
    found = conn.execute(select(partners).where(partners.c.slug.in_(slugs) | speaks).order_by(partners.c.slug)).all()
    known = {row.slug: PartnerRecord(**row._asdict()) for row in found}
    front = [(FRONT, each) for each in known.values() if each.front and each.status == "active"]
    return {slug: each for slug, each in (known | dict(front)).items() if slug in slugs}
