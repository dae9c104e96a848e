"""Reads the events of one subject from referrals' log, as a consumer reads them."""

from __future__ import annotations

from jalons.messaging.codec import opened, read
from schemas.envelope import Event
from services.referrals.persons.keys import PersonKeys
from tests.support.apps import SECRET, Apps


def said(apps: Apps, subject: str) -> list[Event]:
    """The subject's events in order, with their sealed part decrypted."""
    keys = PersonKeys(apps.engines["referrals"], SECRET).resolve({subject})
    rows = apps.rows("referrals", "SELECT value FROM events WHERE subject = %s ORDER BY sequence", subject)
    return [opened(read(bytes(row.value)), keys.get(subject)) for row in rows]
