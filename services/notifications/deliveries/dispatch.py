"""Sends what is due: each attempt is written down before it is made, and one recipient never holds another back."""

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
from jalons.database import Busy, looking, transact
from jalons.messaging.deliver import where
from jalons.messaging.outbox import Outbox
from jalons.postgres import Direct, await_notice, listen
from jalons.process import metrics
from jalons.process.parts import Heartbeat, Part
from services.notifications.deliveries import ending
from services.notifications.deliveries import rows as store
from services.notifications.deliveries.channels import Channel, Send
from services.notifications.deliveries.outcome import Deferred, Delivered, Gone, Outcome
from services.notifications.deliveries.retrying import LOST_AFTER, cut_short, next_attempt
from services.notifications.deliveries.rows import Due, End
from services.notifications.routing.gate import LOOKED_AT_AGAIN, Never, Waits
from services.notifications.webhooks import rows as subscriptions

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=120)
"""Longer than any attempt; a crash delays its message by this much at least."""
POLL_SECONDS = 5.0
"""A fallback, and how soon a retry that has become due is seen."""
IDLE_SECONDS = 30.0
"""How long a sender that nobody wakes waits before it looks for something due."""
_NEVER_LOOKED_AT = timedelta(days=3650)
"""A message of a paused subscription is woken by its resumption only."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A message in hand. send: what to do, None if it was dealt with already; until: when somebody else may take it."""

    due: Due
    send: Send | None
    until: datetime


class Dispatcher:
    """The part that sends. channels: each with its number of threads, so that a mail server that hangs leaves the
    webhooks alone. listen: a direct connection for NOTIFY. now, draw: the clock, and a random number in 0..1.

    Per recipient and channel one message goes at a time, and who was served longest ago comes first; a recipient
    that failed rests as long as the failure took. Any number of processes may run one each.
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

    def take(self, channel: Channel) -> Taken | None:
        """Claim a message that is due, and record that its attempt begins; None if there is none. Raises the
        database's errors."""
        return transact(self._engine, lambda conn: self._taken(conn, channel))

    def deal(self, taken: Taken) -> None:
        """Send a claimed message, and record the outcome."""
        if taken.send is not None:
            began = self._now()
            self._settle(taken, _attempt(taken.send), began)

    def _taken(self, conn: Connection, channel: Channel) -> Taken | None:
        """A message and what to do, its attempt written down; nothing to do if it has to wait or never goes."""
        now = self._now()
        due = store.next_due(conn, channel.name, now, now + LEASE)
        if due is None:
            return None
        lost = due.number > 1 and not due.waited and now - due.since >= LOST_AFTER
        send = Never(due.cause or "process_ended") if lost else _prepared(channel, conn, due, now)
        if not isinstance(send, Waits | Never):
            since = now if due.waited or due.number == 1 else due.since
            if store.begin(conn, due, since, now, cut_short(due.number, since, now, LEASE)):
                return Taken(replace(due, since=since), send, now + LEASE)
        store.free(conn, channel.name, due.delivery.recipient, now)
        if isinstance(send, Waits):
            pause = _NEVER_LOOKED_AT if send.cause == "subscription_paused" else LOOKED_AT_AGAIN
            store.wait(conn, due, send.cause, now + pause)
        elif isinstance(send, Never):
            status = "suppressed" if send.suppressed else "failed"
            if store.give_up(conn, due, status, send.cause):
                end = End.of(due.delivery, status, send.cause, due.number - 1)
                ending.say(conn, self._outbox, [end], now)
        return Taken(due, None, now)

    def _settle(self, taken: Taken, outcome: Outcome, began: datetime) -> None:
        """Write the outcome down, again and again while the database is away: it is known here only. Past the lease
        somebody else may have the message, and the receiver tells the repetition by its id."""
        while True:
            try:
                transact(self._engine, lambda conn: self._record(conn, taken, outcome, began))
            except (Busy, SQLAlchemyError, psycopg.Error) as error:
                log.warning("an outcome could not be written yet: %s", type(error).__name__)
                if self._now() > taken.until or self._stopping.wait(1.0):
                    return
            else:
                return

    def _record(self, conn: Connection, taken: Taken, outcome: Outcome, began: datetime) -> None:
        """Record what became of a message, and the event that tells of it."""
        now, due = self._now(), taken.due
        delivery = due.delivery
        cause = None if isinstance(outcome, Delivered) else outcome.cause
        free_at = now if isinstance(outcome, Delivered) else now + (now - began)
        if isinstance(outcome, Gone) and delivery.subscription:
            store.free(conn, delivery.channel, delivery.recipient, free_at)
            subscriptions.set_status(conn, delivery.recipient, delivery.subscription, "disabled", outcome.cause, now)
        again = None
        if isinstance(outcome, Deferred):
            again = next_attempt(due.number, due.since, now, self._draw(), outcome.after)
        status = "sent" if isinstance(outcome, Delivered) else "pending" if again else "failed"
        named = type(outcome).__name__.lower()
        ours = store.end(conn, due, named, cause, now, status=status, again=again, free_at=free_at)
        if ours and again:
            metrics.DELIVERIES.labels(delivery.channel, "retried").inc()
        if ours and not again:
            ending.say(conn, self._outbox, [End.of(delivery, status, cause, due.number)], now)

    # Parts

    def _send_all(self, channel: Channel, heartbeat: Heartbeat) -> None:
        """Send while something is due, then wait to be woken. A message that was claimed is sent before the stop."""
        while not heartbeat.stopping.is_set():
            if taken := self.take(channel):
                self.deal(taken)
                heartbeat.beat()
            else:
                channel.rest()
                heartbeat.sleep(IDLE_SECONDS)

    def _watch(self, heartbeat: Heartbeat) -> None:
        """Wake the senders when a message was added or has become due."""
        try:
            with self._listen() as conn:
                listen(conn, store.wake_channel())
                while not heartbeat.stopping.is_set():
                    with looking(self._engine) as pooled:
                        due = store.lanes_due(pooled, self._now())
                    self._wake(due)
                    heartbeat.beat(POLL_SECONDS)
                    await_notice(conn, POLL_SECONDS, heartbeat.stopping)
        finally:
            self._wake(self._senders)

    def _wake(self, channels: Iterable[str]) -> None:
        for part in (part for name in channels for part in self._senders.get(name, ())):
            part.wakeup.set()


def _prepared(channel: Channel, conn: Connection, due: Due, now: datetime) -> Send | Waits | Never:
    """What an attempt will do. What cannot be made fails as an attempt, so that it is tried later and given up in the
    end: at the head of its channel it would hold back all others. Raises what the database raises."""
    try:
        return channel.prepare(conn, due, now)
    except (SQLAlchemyError, psycopg.Error):
        raise
    except Exception as error:  # noqa: BLE001 - told by the attempt
        return partial(_fail, error)


def _fail(error: Exception) -> Outcome:
    raise error


def _attempt(send: Send) -> Outcome:
    try:
        return send()
    except Exception as error:  # noqa: BLE001 - the attempt has begun: it must have an outcome
        log.warning("an attempt failed unforeseen: %s", where(error))
        return Deferred("unexpected")
