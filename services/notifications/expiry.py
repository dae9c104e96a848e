"""How long notifications keeps finished messages."""

from __future__ import annotations

from datetime import timedelta

from jalons.process.purge import Expiry
from jalons.process.settings import Settings
from services.notifications.deliveries.rows import is_open
from services.notifications.tables import deliveries


def expiries(settings: Settings) -> list[Expiry]:
    """The rules of notifications' own tables. A message's attempts go with it."""
    return [Expiry(deliveries, deliveries.c.made, timedelta(days=settings.keep_deliveries_days), only=(~is_open(),))]
