"""Sends what is due: each attempt is committed before it is made, one at a time per recipient and channel."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

import psycopg
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from jalons import clock
from jalons.database import Busy, await_notice, transact, transaction
from jalons.messaging.outbox import Outbox
from jalons.messaging.outcomes import where
from jalons.messaging.relay import Connection as Direct
from jalons.process import metrics
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
PACE_SECONDS = 0.05
"""Queries for what is due start at most this often, so that a stream of events shares them."""
POLL_SECONDS = 5.0
"""A fallback for NOTIFY, and the delay with which a retry that has become due is seen."""
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
        now: Callable[[], datetime] = clock.now,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._engine = engine
        self._outbox = outbox
        self._listen = listen
        self._now = now
        self._draw = draw
        self._stopping = threading.Event()
        self._wakeups = {channel.name: threading.Condition() for channel in channels}
        self._woken = dict.fromkeys(self._wakeups, 0)
        self._threads = [threading.Thread(target=self._watch, name="deliveries-watch", daemon=True)]
        for channel, count in channels.items():
            self._threads += [
                threading.Thread(target=self._work, args=(channel,), name=f"{channel.name}-{n}", daemon=True)
                for n in range(count)
            ]

    def start(self) -> None:
        """Start the threads; they wait for the database by themselves."""
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float = 5.0) -> None:
        """Begin no further attempt, and wait that long for those in flight."""
        self._stopping.set()
        self._wake_all()
        for thread in self._threads:
            thread.join(seconds / len(self._threads))

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

    # Threads

    def _work(self, channel: Channel) -> None:
        """Send while something is due, then wait to be woken."""
        wakeup = self._wakeups[channel.name]
        while not self._stopping.is_set():
            seen = self._woken[channel.name]
            try:
                sent = self.dispatch_one(channel)
            except Exception as error:  # noqa: BLE001 - a thread that ends would silence its channel
                log.warning("deliveries by %s wait: %s", channel.name, where(error))
                self._stopping.wait(2.0)
                continue
            if not sent:
                channel.disconnect()
                with wakeup:
                    wakeup.wait_for(lambda: self._woken[channel.name] != seen or self._stopping.is_set())  # noqa: B023

    def _watch(self) -> None:
        """Wake the threads when a delivery is added or becomes due; while the connection is away, now and then."""
        while not self._stopping.is_set():
            try:
                with self._listen() as conn:
                    conn.execute(f"LISTEN {rows.WAKE_CHANNEL}")
                    while not self._stopping.is_set():
                        self._wake_if_due()
                        self._stopping.wait(PACE_SECONDS)
                        await_notice(conn, POLL_SECONDS, self._stopping)
            except (psycopg.Error, SQLAlchemyError, OSError) as error:
                log.warning("deliveries are polled, without NOTIFY: %s", type(error).__name__)
                self._stopping.wait(POLL_SECONDS)
                self._wake_all()

    def _wake_if_due(self) -> None:
        with transaction(self._engine) as conn:
            due = queue.due_by_channel(conn, self._now())
        for channel, count in due.items():
            self._wake(channel, count)

    def _wake(self, channel: str, threads: int) -> None:
        """Wake as many threads of a channel as can find something due; each query costs a transaction."""
        if channel in self._wakeups:
            with self._wakeups[channel]:
                self._woken[channel] += 1
                self._wakeups[channel].notify(threads)

    def _wake_all(self) -> None:
        for channel in self._wakeups:
            self._wake(channel, len(self._threads))


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
