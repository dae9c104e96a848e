"""Sends what is due: each attempt is committed before it is made, one at a time per recipient and channel."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

import psycopg
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from jalons import clock
from jalons.database import Busy, transact, transaction
from jalons.messaging.outbox import Outbox
from jalons.messaging.outcomes import where
from jalons.postgres import Direct, await_notice, listen
from jalons.process import metrics
from jalons.process.parts import Heartbeat, Part
from services.notifications.deliveries import queue, rows
from services.notifications.deliveries.channel import Channel, Send
from services.notifications.deliveries.events import announce
from services.notifications.deliveries.gate import RECHECK_AFTER, Never, Waits
from services.notifications.deliveries.outcome import Deferred, Delivered, Gone, Outcome
from services.notifications.deliveries.queue import Due
from services.notifications.deliveries.retrying import GIVE_UP_WITHOUT_OUTCOME_AFTER, after_crash, next_attempt
from services.notifications.deliveries.rows import Closed
from services.notifications.webhooks import rows as subscriptions

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=120)
"""Longer than any attempt; after a crash a delivery is tried again once its lease is over."""
POLL_SECONDS = 5.0
"""A fallback for NOTIFY, and the delay with which a retry that has become due is seen."""
IDLE_SECONDS = 30.0
"""How long a sender that nobody wakes waits before it looks for something due."""
_LOCKED_PAUSE = timedelta(seconds=1)
"""Before a delivery that is being changed is looked at again."""
_UNTIL_RESUMED = timedelta(days=3650)
"""A delivery to a paused subscription becomes due when the subscription is resumed."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery in hand. send: the attempt; None if it waits or was given up; until: end of the lease."""

    due: Due
    send: Send | None
    until: datetime


class Dispatcher:
    """The part that sends. channels: each with its number of threads, so that a mail server that hangs does not delay
    webhooks. listen: a direct connection for NOTIFY. now, draw: the clock, and a random number in 0..1.

    A recipient has one message in flight per channel, and the queue that was served longest ago comes first; after a
    failure a queue pauses as long as the failed attempt took. Any number of processes may run one each.
    """

    def __init__(
        self,
        engine: Engine,
        outbox: Outbox,
        channels: Mapping[Channel, int],
        *,
        listen: Callable[[], Direct],
        stopping: threading.Event | None = None,
        now: Callable[[], datetime] = clock.now,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._engine = engine
        self._outbox = outbox
        self._listen = listen
        self._now = now
        self._draw = draw
        self._stopping = stopping or threading.Event()
        self._senders = {
            channel.name: [
                Part(f"{channel.name}-{number}", partial(self._send_all, channel), patience=LEASE.total_seconds())
                for number in range(count)
            ]
            for channel, count in channels.items()
        }

    @property
    def parts(self) -> list[Part]:
        """The senders of every channel, and the part that wakes them."""
        senders = [part for parts in self._senders.values() for part in parts]
        return [*senders, Part("deliveries", self._watch)]

    def dispatch_one(self, channel: Channel) -> bool:
        """Claim the next due delivery, send it and record the outcome; False if none is due. Raises what the database
        raises while it claims."""
        claimed = transact(self._engine, lambda conn: self._claim(conn, channel))
        if claimed is not None and claimed.send is not None:
            began = self._now()
            self._settle(claimed, _attempt(claimed.send), began)
        return claimed is not None

    def _claim(self, conn: Connection, channel: Channel) -> Claimed | None:
        """The next due delivery, its attempt recorded; without an attempt if it has to wait or is given up."""
        now = self._now()
        due = queue.claim(conn, channel.name, now, LEASE)
        if due is None:
            return None
        lost = due.number > 1 and not due.waited and now - due.since >= GIVE_UP_WITHOUT_OUTCOME_AFTER
        send = Never(due.cause or "process_ended") if lost else _prepared(channel, conn, due, now)
        if not isinstance(send, Waits | Never):
            since = now if due.waited or due.number == 1 else due.since
            if queue.begin(conn, due, since, now, after_crash(due.number, since, now, LEASE)):
                return Claimed(replace(due, since=since), send, now + LEASE)
            queue.release(conn, channel.name, due.delivery.recipient, now + _LOCKED_PAUSE)
            return Claimed(due, None, now)
        queue.release(conn, channel.name, due.delivery.recipient, now)
        if isinstance(send, Waits):
            pause = _UNTIL_RESUMED if send.cause == "subscription_paused" else RECHECK_AFTER
            queue.wait(conn, due, send.cause, now + pause)
        elif isinstance(send, Never):
            status = "suppressed" if send.suppressed else "failed"
            if queue.give_up(conn, due, status, send.cause):
                announce(conn, self._outbox, [Closed.of(due.delivery, status, send.cause, due.number - 1)], now)
        return Claimed(due, None, now)

    def _settle(self, claimed: Claimed, outcome: Outcome, began: datetime) -> None:
        """Record the outcome, again and again while the database is away: it is known here only. Past the lease another
        worker may send the message again, and the receiver recognises it by its id."""
        while True:
            try:
                transact(self._engine, lambda conn: self._record(conn, claimed.due, outcome, began))
            except (Busy, SQLAlchemyError, psycopg.Error) as error:
                log.warning("an outcome could not be recorded yet: %s", type(error).__name__)
                if self._now() > claimed.until or self._stopping.wait(1.0):
                    return
            else:
                return

    def _record(self, conn: Connection, due: Due, outcome: Outcome, began: datetime) -> None:
        now, delivery = self._now(), due.delivery
        sent = isinstance(outcome, Delivered)
        queue.release(conn, delivery.channel, delivery.recipient, now if sent else now + (now - began))
        cause = None if isinstance(outcome, Delivered) else outcome.cause
        if isinstance(outcome, Gone) and delivery.subscription:
            subscriptions.set_status(conn, delivery.recipient, delivery.subscription, "disabled", outcome.cause, now)
        queue.end(conn, due, type(outcome).__name__.lower(), cause, now)
        again = None
        if isinstance(outcome, Deferred):
            again = next_attempt(due.number, due.since, now, self._draw(), outcome.after)
        if again:
            if queue.try_again(conn, due, cause, again):
                metrics.DELIVERIES.labels(delivery.channel, "retried").inc()
            return
        status = "sent" if sent else "failed"
        if queue.close(conn, due, status, cause):
            announce(conn, self._outbox, [Closed.of(delivery, status, cause, due.number)], now)

    # Parts

    def _send_all(self, channel: Channel, heartbeat: Heartbeat) -> None:
        """Send while something is due, then wait to be woken. A delivery that was claimed is sent before the stop."""
        while not heartbeat.stopping.is_set():
            if self.dispatch_one(channel):
                heartbeat.beat()
            else:
                channel.disconnect()
                heartbeat.sleep(IDLE_SECONDS)

    def _watch(self, heartbeat: Heartbeat) -> None:
        """Wake the senders when a delivery was added or has become due."""
        try:
            with self._listen() as conn:
                listen(conn, rows.WAKE_CHANNEL)
                while not heartbeat.stopping.is_set():
                    with transaction(self._engine) as pooled:
                        due = queue.due_by_channel(pooled, self._now())
                    self._wake(due)
                    heartbeat.beat(POLL_SECONDS)
                    await_notice(conn, POLL_SECONDS, heartbeat.stopping)
        finally:
            self._wake(self._senders)

    def _wake(self, channels: Iterable[str]) -> None:
        for part in (part for name in channels for part in self._senders.get(name, ())):
            part.wakeup.set()


def _prepared(channel: Channel, conn: Connection, due: Due, now: datetime) -> Send | Waits | Never:
    """What an attempt will do. A message that cannot be written fails as an attempt, so that it is tried later and
    given up in the end: at the head of its queue it would block the others. Raises what the database raises."""
    try:
        return channel.prepare(conn, due, now)
    except (SQLAlchemyError, psycopg.Error):
        raise
    except Exception as error:  # noqa: BLE001 - recorded by the attempt
        return partial(_fail, error)


def _fail(error: Exception) -> Outcome:
    raise error


def _attempt(send: Send) -> Outcome:
    try:
        return send()
    except Exception as error:  # noqa: BLE001 - the attempt is recorded and needs an outcome
        log.warning("an attempt failed unexpectedly: %s", where(error))
        return Deferred("unexpected")
