"""What the dispatcher needs of a channel: what one attempt will do, or why there is none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from services.notifications.deliveries.gate import Never, Waits
from services.notifications.deliveries.outcome import Outcome
from services.notifications.deliveries.queue import Due

Send = Callable[[], Outcome]
"""One attempt, outside of any transaction."""


class Channel(Protocol):
    """A way to send a message to a partner: e-mail or webhook."""

    name: str

    def prepare(self, conn: Connection, due: Due, now: datetime) -> Send | Waits | Never:
        """What an attempt will do, from what is known now; or why there is none. Sends nothing."""

    def disconnect(self) -> None:
        """Close what this thread holds open; called when nothing is due."""
