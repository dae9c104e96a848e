"""Sends what is due: each attempt is written down before it is made, and one recipient never holds another back."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import psycopg
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from jalons import clock, metrics
from jalons.database import Busy, await_notice, looking, transact
from jalons.messaging.deliver import where
from jalons.messaging.outbox import Outbox
from jalons.messaging.relay import Connection as Direct
from services.notifications import ending, store, subscriptions
from services.notifications.channels import Channel, Send
from services.notifications.domain.gate import LOOKED_AT_AGAIN, Never, Waits
from services.notifications.domain.outcome import Deferred, Delivered, Gone, Outcome
from services.notifications.domain.retrying import LOST_AFTER, cut_short, next_attempt
from services.notifications.store import Due, End

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=120)
"""Longer than any attempt; a crash delays its message by this much at least."""
PACE_SECONDS = 0.05
"""Looks for what is due begin at most this often: a stream of events shares them."""
REST, REST_MOST_SECONDS = 3.0, 1.0
"""A thread rests three times as long as a message took: in a burst of events, answers to callers and what they see come
first, and messages go out over the seconds that follow."""
POLL_SECONDS = 5.0
"""A fallback, and how soon a retry that has become due is seen."""
_NEVER_LOOKED_AT = timedelta(days=3650)
"""A message of a paused subscription is woken by its resumption only."""


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
        now: Callable[[], datetime] = clock.now,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._engine = engine
        self._outbox = outbox
        self._listen = listen
        self._now = now
        self._draw = draw
        self._stopping = threading.Event()
        self._bells = {channel.name: threading.Condition() for channel in channels}
        self._rung = dict.fromkeys(self._bells, 0)
        self._threads = [threading.Thread(target=self._watch, name="deliveries-watch", daemon=True)]
        for channel, count in channels.items():
            self._threads += [
                threading.Thread(target=self._work, args=(channel,), name=f"{channel.name}-{n}", daemon=True)
                for n in range(count)
            ]

    def start(self) -> None:
        """Begin; waits for the database by itself."""
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float = 5.0) -> None:
        """Begin no further attempt, and wait that long for those in hand."""
        self._stopping.set()
        self._ring_all()
        for thread in self._threads:
            thread.join(seconds / len(self._threads))

    def step(self, channel: Channel) -> bool:
        """Take one message that is due and deal with it; False if there is none. Raises what the database raises."""
        taken = transact(self._engine, lambda conn: self._take(conn, channel))
        if taken is None:
            return False
        due, send, began = taken
        if send is None:
            return True
        outcome = _attempt(send)
        self._settle(due, outcome, began)
        return True

    def _take(self, conn: Connection, channel: Channel) -> tuple[Due, Send | None, datetime] | None:
        """A message and what to do, its attempt written down; nothing to do if it has to wait or never goes."""
        now = self._now()
        due = store.next_due(conn, channel.name, now, now + LEASE)
        if due is None:
            return None
        lost = due.number > 1 and not due.waited and now - due.since >= LOST_AFTER
        send = Never(due.cause or "process_ended") if lost else channel.prepare(conn, due, now)
        if not isinstance(send, Waits | Never):
            since = now if due.waited or due.number == 1 else due.since
            if store.begin(conn, due, since, now, cut_short(due.number, since, now, LEASE)):
                return replace(due, since=since), send, now
        store.free(conn, channel.name, due.delivery.recipient, now)
        if isinstance(send, Waits):
            pause = _NEVER_LOOKED_AT if send.cause == "subscription_paused" else LOOKED_AT_AGAIN
            store.postpone(conn, due.delivery.delivery_id, "waiting", send.cause, now + pause)
        elif isinstance(send, Never):
            self._close(conn, due, "suppressed" if send.suppressed else "failed", send.cause, now, due.number - 1)
        return due, None, now

    def _settle(self, due: Due, outcome: Outcome, began: datetime) -> None:
        """Write the outcome down, again and again while the database is away: it is known here only. Past the lease
        somebody else may have the message, and the receiver tells the repetition by its id."""
        while True:
            try:
                transact(self._engine, lambda conn: self._record(conn, due, outcome, began))
            except (Busy, SQLAlchemyError, psycopg.Error) as error:
                log.warning("an outcome could not be written yet: %s", type(error).__name__)
                if self._now() > began + LEASE or self._stopping.wait(1.0):
                    return
            else:
                return

    def _record(self, conn: Connection, due: Due, outcome: Outcome, began: datetime) -> None:
        now = self._now()
        delivery = due.delivery
        failed = not isinstance(outcome, Delivered)
        store.free(conn, delivery.channel, delivery.recipient, now + (now - began if failed else timedelta()))
        if isinstance(outcome, Gone) and delivery.subscription:
            subscriptions.set_status(conn, delivery.recipient, delivery.subscription, "disabled", outcome.cause, now)
        cause = None if isinstance(outcome, Delivered) else outcome.cause
        if not store.end(conn, due, type(outcome).__name__.lower(), cause, now):
            return
        if isinstance(outcome, Deferred):
            again = next_attempt(due.number, due.since, now, self._draw(), outcome.after)
            if again is not None:
                store.postpone(conn, delivery.delivery_id, "pending", cause, again)
                metrics.DELIVERIES.labels(delivery.channel, "retried").inc()
                return
        self._close(conn, due, "failed" if failed else "sent", cause, now, due.number)

    def _close(self, conn: Connection, due: Due, status: str, cause: str | None, now: datetime, attempts: int) -> None:
        """The message's end, and the event that says so."""
        delivery = due.delivery
        if not store.close(conn, delivery.delivery_id, status, cause):
            return
        ending.say(conn, self._outbox, [End.of(delivery, status, cause, attempts)], now)

    # Threads

    def _work(self, channel: Channel) -> None:
        """Send while there is something to send, then wait for the bell."""
        while not self._stopping.is_set():
            began = time.monotonic()
            heard, bell = self._rung[channel.name], self._bells[channel.name]
            try:
                found = self.step(channel)
            except Exception as error:  # noqa: BLE001 - a thread that ends would silence its channel
                log.warning("deliveries by %s wait: %s", channel.name, where(error))
                self._stopping.wait(2.0)
                continue
            if found:
                self._stopping.wait(min(REST * (time.monotonic() - began), REST_MOST_SECONDS))
            else:
                with bell:
                    bell.wait_for(lambda: self._rung[channel.name] != heard or self._stopping.is_set())  # noqa: B023

    def _watch(self) -> None:
        """Ring when a message is added, or has become due; while the connection is away, ring now and then."""
        while not self._stopping.is_set():
            try:
                with self._listen() as conn:
                    conn.execute(f"LISTEN {store.wake_channel()}")
                    while not self._stopping.is_set():
                        self._ring_if_due()
                        self._stopping.wait(PACE_SECONDS)
                        await_notice(conn, POLL_SECONDS, self._stopping)
            except (psycopg.Error, SQLAlchemyError, OSError) as error:
                log.warning("deliveries are looked for without being woken: %s", type(error).__name__)
                self._stopping.wait(POLL_SECONDS)
                self._ring_all()

    def _ring_if_due(self) -> None:
        with looking(self._engine) as conn:
            due = store.lanes_due(conn, self._now())
        for channel, lanes in due.items():
            self._ring(channel, lanes)

    def _ring(self, channel: str, threads: int) -> None:
        """Wake as many threads of a channel as can find something to send; each look costs a transaction."""
        if channel in self._bells:
            with self._bells[channel]:
                self._rung[channel] += 1
                self._bells[channel].notify(threads)

    def _ring_all(self) -> None:
        for channel in self._bells:
            self._ring(channel, len(self._threads))


def _attempt(send: Send) -> Outcome:
    try:
        return send()
    except Exception as error:  # noqa: BLE001 - the attempt has begun: it must have an outcome
        log.warning("an attempt failed unforeseen: %s", where(error))
        return Deferred("unexpected")
