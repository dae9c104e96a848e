"""Sends what is due: each attempt is written down before it is made, and one recipient never holds another back."""

from __future__ import annotations

import logging
import random
import threading
import time
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
PACE_SECONDS = 0.05
"""Looks for what is due begin at most this often: a stream of events shares them."""
REST, REST_MOST_SECONDS = 3.0, 1.0
"""A thread rests three times as long as a message took: in a burst of events, answers to callers and what they see come
first, and messages go out over the seconds that follow."""
POLL_SECONDS = 5.0
"""A fallback, and how soon a retry that has become due is seen."""
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

    def take(self, channel: Channel) -> Taken | None:
        """Take a message that is due, its attempt written down; None if there is none. Raises what the database
        raises."""
        return transact(self._engine, lambda conn: self._turn(conn, [], channel))

    def deal(self, channel: Channel, taken: Taken) -> Taken | None:
        """Deal with what was taken, and take the next; None if there is none, or we are stopping. Where the message
        went, its end and the next one's beginning are one commit."""
        if taken.send is not None:
            began = self._now()
            outcome = _attempt(taken.send)
            if isinstance(outcome, Delivered) and not self._stopping.is_set():
                try:
                    return transact(self._engine, lambda conn: self._record(conn, taken, outcome, began, channel))
                except Exception as error:  # noqa: BLE001 - whatever is wrong with the next one, this one went
                    log.warning("the next message is taken apart: %s", where(error))
            self._settle(taken, outcome, began)
        return None if self._stopping.is_set() else self.take(channel)

    def _turn(self, conn: Connection, ends: list[End], channel: Channel | None) -> Taken | None:
        """Take what is next, if there is a channel to take from, and say what ended. Numbers are given last: after
        their lock nothing is waited for."""
        taken = self._taken(conn, channel, ends) if channel else None
        ending.say(conn, self._outbox, ends, self._now())
        return taken

    def _taken(self, conn: Connection, channel: Channel, ends: list[End]) -> Taken | None:
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
                ends.append(End.of(due.delivery, status, send.cause, due.number - 1))
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

    def _record(
        self, conn: Connection, taken: Taken, outcome: Outcome, began: datetime, then: Channel | None = None
    ) -> Taken | None:
        """What became of a message, and the event that says so. then: where the next is taken from."""
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
        ends = [End.of(delivery, status, cause, due.number)] if ours and not again else []
        return self._turn(conn, ends, then)

    # Threads

    def _work(self, channel: Channel) -> None:
        """Send while there is something to send, then wait for the bell. What is in hand at the stop still goes."""
        bell, taken = self._bells[channel.name], None
        while taken or not self._stopping.is_set():
            began, heard = time.monotonic(), self._rung[channel.name]
            hand, taken = taken, None
            try:
                taken = self.deal(channel, hand) if hand else self.take(channel)
            except Exception as error:  # noqa: BLE001 - a thread that ends would silence its channel
                log.warning("deliveries by %s wait: %s", channel.name, where(error))
                self._stopping.wait(2.0)
                continue
            if taken is None:
                channel.rest()
            if hand:
                self._stopping.wait(min(REST * (time.monotonic() - began), REST_MOST_SECONDS))
            if taken is None:
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
        with transaction(self._engine) as conn:
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
