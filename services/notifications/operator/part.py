"""Each minute: how all services are, and the mail that follows from it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Engine

from jalons import clock
from jalons.database import transaction
from jalons.postgres import try_lock
from jalons.process.parts import Part, repeated
from services.notifications.deliveries.outcome import Delivered
from services.notifications.emails.mailer import Mailer
from services.notifications.operator import rows
from services.notifications.operator.health import Health
from services.notifications.operator.mails import OperatorMails
from services.notifications.operator.rules import decide

EVERY_SECONDS = 60.0


class OperatorWatch:
    """Tells the operator. A mail that the server does not take is tried again in the next round; one that was taken but
    not remembered, because the process was killed, goes twice."""

    def __init__(
        self,
        engine: Engine,
        health: Health,
        mails: OperatorMails,
        mailer: Mailer,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self._engine = engine
        self._health = health
        self._mails = mails
        self._mailer = mailer
        self._now = now

    @property
    def part(self) -> Part:
        """The watch as a part of a process."""
        return Part("operator", repeated(self._round), delay=EVERY_SECONDS)

    def once(self) -> None:
        """One round; two processes never do it at once."""
        troubles, now = self._health.troubles(), self._now()
        with transaction(self._engine) as conn:
            if not try_lock(conn, "operator"):
                return
            told, kind = decide(rows.read(conn), troubles, now)
            if kind is not None:
                message = self._mails.write(kind, troubles, self._health.last_backup(), now)
                if not isinstance(self._mailer.send(message), Delivered):
                    return
            rows.save(conn, told)

    def _round(self) -> float:
        self.once()
        self._mailer.disconnect()
        return EVERY_SECONDS
