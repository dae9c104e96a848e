"""What is there to deliver and who it is for, as rows; every function works in its caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from jalons.database import execute, given, pipelined
from services.notifications.routing.gate import PartnerRecord

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message about one event, to one recipient, by one channel."""

    delivery_id: UUID
    event_id: UUID
    about_type: str
    channel: str
    recipient: str
    trial: bool
    correlation: UUID
    reference: str | None = None
    contact: str | None = None
    subscription: str | None = None
    traceparent: str | None = None
    facts: Json | None = None
    body: str | None = None
    person: bytes | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery whose turn has come. recipient, contact: what the directory said last of them; number: of the attempt;
    since: when its window began, with the first attempt or with the wait before it; waited: whether it was waiting for
    something; cause: of the last failure."""

    delivery: Delivery
    recipient: PartnerRecord | None
    contact: PartnerRecord | None
    number: int
    since: datetime
    waited: bool
    cause: str | None


@dataclass(frozen=True, slots=True)
class End:
    """What became of a message. status: `sent`, `failed`, `suppressed`; cause: why not, a code of `causes`."""

    delivery_id: UUID
    event_id: UUID
    about_type: str
    channel: str
    recipient: str
    correlation: UUID
    traceparent: str | None
    attempts: int
    status: str
    cause: str | None

    @classmethod
    def of(cls, delivery: Delivery, status: str, cause: str | None, attempts: int) -> End:
        """Of a message that is at hand."""
        about = {name: getattr(delivery, name) for name in _OF_AN_END}
        return cls(**about, attempts=attempts, status=status, cause=cause)


_OF_AN_END = ("delivery_id", "event_id", "about_type", "channel", "recipient", "correlation", "traceparent")

_KEPT = {
    "delivery_id": "uuid",
    "event_id": "uuid",
    "about_type": "text",
    "channel": "text",
    "recipient": "text",
    "trial": "boolean",
    "correlation": "uuid",
    "reference": "text",
    "contact": "text",
    "subscription": "text",
    "traceparent": "text",
    "body": "text",
    "person": "bytea",
}


def _json(facts: Json | None) -> str | None:
    return json.dumps(facts) if facts is not None else None


def wake_channel() -> str:
    """The NOTIFY channel on which dispatchers are woken."""
    return "jalons_deliveries_due"


def add(conn: Connection, deliveries: Sequence[Delivery], now: datetime) -> None:
    """Keep messages that are to go, each once whatever is redelivered, and wake who sends them."""
    if not deliveries:
        return
    ordered = sorted(deliveries, key=lambda each: each.delivery_id)
    rows = [(*(getattr(each, name) for name in _KEPT), _json(each.facts), "pending", now, now, now) for each in ordered]
    source, values = given(f"{' '.join(_KEPT.values())} jsonb text timestamptz timestamptz timestamptz", rows)
    lanes, lane_values = given("text text", sorted({(each.channel, each.recipient) for each in deliveries}))
    with pipelined(conn):
        execute(
            conn,
            f"INSERT INTO deliveries ({', '.join(_KEPT)}, facts, status, due_at, since, made)"
            f" SELECT * FROM {source} AS k ON CONFLICT (delivery_id) DO NOTHING",
            values,
        )
        execute(
            conn,
            "INSERT INTO lanes (channel, recipient, free_at) SELECT channel, recipient, %s"
            f" FROM {lanes} AS k(channel, recipient) ON CONFLICT DO NOTHING",
            (now, *lane_values),
        )
        wake(conn)


def wake(conn: Connection) -> None:
    """Wake the dispatchers when this transaction commits."""
    execute(conn, "SELECT pg_notify(%s, '')", (wake_channel(),))


def put_partners(conn: Connection, records: Collection[PartnerRecord], now: datetime) -> None:
    """Keep the newest record of each partner, and look again at what waited for it."""
    if not records:
        return
    newest = sorted(records, key=lambda record: record.slug)
    columns = ("slug", "name", "mailbox", "phone", "phone_hours", "language", "status", "kind", "trial")
    updates = ", ".join(f"{name} = excluded.{name}" for name in columns[1:])
    rows = [tuple(getattr(record, name) for name in columns) for record in newest]
    source, values = given("text text text text text text text text boolean", rows)
    execute(
        conn,
        f"INSERT INTO partners ({', '.join(columns)}) SELECT * FROM {source} AS k"
        f" ON CONFLICT (slug) DO UPDATE SET {updates}",
        values,
    )
    slugs = [record.slug for record in newest]
    woken = execute(
        conn,
        "UPDATE deliveries SET due_at = %s WHERE status = 'waiting' AND cause <> 'subscription_paused'"
        " AND (recipient = ANY(%s) OR contact = ANY(%s))",
        (now, slugs, slugs),
    )
    if woken.rowcount:
        wake(conn)


def add_suppressed(conn: Connection, deliveries: Sequence[Delivery], cause: str, now: datetime) -> list[End]:
    """Keep that these messages never go, each once and without its content; the ends of those that are new."""
    if not deliveries:
        return []
    ordered = sorted(deliveries, key=lambda each: each.delivery_id)
    empty = [replace(each, body=None, facts=None, person=None) for each in ordered]
    rows = [(*(getattr(each, name) for name in _KEPT), "suppressed", cause, now, now, now) for each in empty]
    source, values = given(f"{' '.join(_KEPT.values())} text text timestamptz timestamptz timestamptz", rows)
    kept = execute(
        conn,
        f"INSERT INTO deliveries ({', '.join(_KEPT)}, status, cause, due_at, since, made)"
        f" SELECT * FROM {source} AS k ON CONFLICT (delivery_id) DO NOTHING RETURNING delivery_id",
        values,
    )
    new = {row.delivery_id for row in kept}
    return [End.of(each, "suppressed", cause, 0) for each in empty if each.delivery_id in new]


def suppress(conn: Connection, person: bytes, partners: Collection[str]) -> list[End]:
    """Stop what is still pending about a person for these partners, and destroy its content; their ends."""
    stopped = execute(
        conn,
        "UPDATE deliveries SET status = 'suppressed', cause = 'consent_withdrawn', body = NULL, facts = NULL,"
        " person = NULL WHERE person = %s AND recipient = ANY(%s) AND status IN ('pending', 'waiting')"
        f" RETURNING {', '.join(_OF_AN_END)}, attempts, status, cause",
        (person, list(partners)),
    )
    return [End(**row._asdict()) for row in stopped]


def forget(conn: Connection, person: bytes) -> None:
    """Stop what is still pending about a person, for anybody, and destroy its content and every link to them. Of what
    went the body and the link are gone already."""
    execute(
        conn,
        "UPDATE deliveries SET body = NULL, facts = NULL, person = NULL,"
        " cause = CASE WHEN status IN ('pending', 'waiting') THEN 'person_erased' ELSE cause END,"
        " status = CASE WHEN status IN ('pending', 'waiting') THEN 'suppressed' ELSE status END WHERE person = %s",
        (person,),
    )


_FREE_TO_CHANGE = (
    "(SELECT delivery_id FROM deliveries WHERE delivery_id = %(id)s AND attempts = %(number)s - 1"
    " AND status IN ('pending', 'waiting') FOR UPDATE SKIP LOCKED)"
)
"""The message whose turn has come, if nobody is just changing it. Not waited for: who takes it may hold the message
that went before it, and who stops what is pending of a person holds several."""


def next_due(conn: Connection, channel: str, now: datetime, leased_until: datetime) -> Due | None:
    """Take the lane that was served longest ago and, of its messages, the one due first, in the order of what
    happened (event ids sort by time). The lane is the caller's
    until `leased_until` or `free`; nobody else sends to this recipient by this channel meanwhile. The message is not
    locked yet: subscriptions come first (see `begin`)."""
    row = execute(
        conn,
        "WITH lane AS (SELECT l.recipient FROM lanes l WHERE l.channel = %(channel)s AND l.free_at <= %(now)s"
        " AND EXISTS (SELECT 1 FROM deliveries d WHERE d.channel = l.channel AND d.recipient = l.recipient"
        " AND d.status IN ('pending', 'waiting') AND d.due_at <= %(now)s)"
        " ORDER BY l.free_at LIMIT 1 FOR UPDATE SKIP LOCKED),"
        " taken AS (UPDATE lanes SET free_at = %(until)s FROM lane"
        " WHERE lanes.channel = %(channel)s AND lanes.recipient = lane.recipient),"
        " message AS (SELECT d.* FROM deliveries d WHERE d.channel = %(channel)s"
        " AND d.recipient = (SELECT recipient FROM lane)"  # not joined: else all that is due is looked through
        " AND d.status IN ('pending', 'waiting') AND d.due_at <= %(now)s"
        " ORDER BY d.due_at, d.event_id, d.delivery_id LIMIT 1)"
        " SELECT m.*, to_jsonb(r) AS to_whom, to_jsonb(c) AS about_whom FROM message m"
        " LEFT JOIN partners r ON r.slug = m.recipient LEFT JOIN partners c ON c.slug = m.contact",
        {"channel": channel, "now": now, "until": leased_until},
    ).fetchone()
    if row is None:
        return None
    fields = {name: getattr(row, name) for name in Delivery.__slots__}
    recipient, contact = (PartnerRecord(**each) if each else None for each in (row.to_whom, row.about_whom))
    return Due(Delivery(**fields), recipient, contact, row.attempts + 1, row.since, row.status == "waiting", row.cause)


def begin(conn: Connection, due: Due, since: datetime, now: datetime, cut_short: datetime) -> bool:
    """Write down that an attempt begins, and when it is made again if it never ends; an earlier one without an end was
    cut short. False if the message was stopped meanwhile, or is being changed. What is waited for is locked in this
    order everywhere: lane, subscription, message."""
    begun = execute(
        conn,
        "WITH due AS (UPDATE deliveries SET status = 'pending', attempts = %(number)s, since = %(since)s,"
        f" due_at = %(again)s WHERE delivery_id = {_FREE_TO_CHANGE} RETURNING delivery_id),"
        " cut AS (UPDATE attempts a SET ended = %(now)s, outcome = 'interrupted', cause = 'process_ended'"
        " FROM due WHERE a.delivery_id = due.delivery_id AND a.ended IS NULL)"
        " INSERT INTO attempts (delivery_id, number, began) SELECT delivery_id, %(number)s, %(now)s FROM due",
        {"id": due.delivery.delivery_id, "number": due.number, "since": since, "again": cut_short, "now": now},
    )
    return begun.rowcount == 1


def end(
    conn: Connection,
    due: Due,
    outcome: str,
    cause: str | None,
    now: datetime,
    *,
    status: str,
    again: datetime | None,
    free_at: datetime,
) -> bool:
    """Write down how an attempt ended and what the message is now, and give its lane back; False if the message is no
    longer this attempt's to decide about. again: when it is tried again; None if it is closed, and then its sealed body
    and the link to the person are destroyed."""
    ended = execute(
        conn,
        "WITH freed AS (UPDATE lanes SET free_at = %(free_at)s WHERE channel = %(channel)s"
        " AND recipient = %(recipient)s),"
        " ended AS (UPDATE attempts SET ended = %(now)s, outcome = %(outcome)s, cause = %(cause)s"
        " WHERE delivery_id = %(id)s AND number = %(number)s)"
        " UPDATE deliveries SET status = %(status)s, cause = %(cause)s, due_at = coalesce(%(again)s, due_at),"
        " body = CASE WHEN %(again)s IS NOT NULL THEN body END,"
        " person = CASE WHEN %(again)s IS NOT NULL THEN person END"
        " WHERE delivery_id = %(id)s AND attempts = %(number)s AND status = 'pending'",
        {
            "id": due.delivery.delivery_id,
            "channel": due.delivery.channel,
            "recipient": due.delivery.recipient,
            "number": due.number,
            "outcome": outcome,
            "cause": cause,
            "now": now,
            "status": status,
            "again": again,
            "free_at": free_at,
        },
    )
    return ended.rowcount == 1


def wait(conn: Connection, due: Due, cause: str, until: datetime) -> None:
    """Leave a message that lacks something for later, unless it was stopped meanwhile or is being changed."""
    execute(
        conn,
        f"UPDATE deliveries SET status = 'waiting', cause = %(cause)s, due_at = %(until)s"
        f" WHERE delivery_id = {_FREE_TO_CHANGE}",
        {"id": due.delivery.delivery_id, "number": due.number, "cause": cause, "until": until},
    )


def give_up(conn: Connection, due: Due, status: str, cause: str) -> bool:
    """A message will not go: its sealed body and the link to the person are destroyed. False if it was closed
    already, or is being changed."""
    closed = execute(
        conn,
        "UPDATE deliveries SET status = %(status)s, cause = %(cause)s, body = NULL, person = NULL"
        f" WHERE delivery_id = {_FREE_TO_CHANGE}",
        {"id": due.delivery.delivery_id, "number": due.number, "status": status, "cause": cause},
    )
    return closed.rowcount == 1


def free(conn: Connection, channel: str, recipient: str, at: datetime) -> None:
    """Give a recipient's lane back; it is served again from `at`."""
    execute(conn, "UPDATE lanes SET free_at = %s WHERE channel = %s AND recipient = %s", (at, channel, recipient))


def lanes_due(conn: Connection, now: datetime) -> dict[str, int]:
    """How many recipients' turn has come, by channel."""
    rows = execute(
        conn,
        "SELECT l.channel, count(*) AS lanes FROM lanes l WHERE l.free_at <= %s AND EXISTS (SELECT 1 FROM deliveries d"
        " WHERE d.channel = l.channel AND d.recipient = l.recipient AND d.status IN ('pending', 'waiting')"
        " AND d.due_at <= %s) GROUP BY l.channel",
        (now, now),
    )
    return {row.channel: row.lanes for row in rows}


def lock_recipient(conn: Connection, recipient: str) -> None:
    """The numbers of what became of a recipient's messages are given one transaction at a time."""
    execute(conn, "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"deliveries|{recipient}",))


# What is shown


_SHOWN = (
    "SELECT delivery_id, event_id, about_type, reference, channel, recipient, subscription, status, cause, due_at"
    " FROM deliveries"
)


def listed(
    conn: Connection,
    *,
    recipient: str | None,
    status: str | None,
    channel: str | None,
    before: UUID | None,
    limit: int,
) -> list[Json]:
    """Deliveries, newest first, with their attempts. recipient: None for all; before: the last of the page before."""
    rows = execute(
        conn,
        f"{_SHOWN} WHERE (%s::text IS NULL OR recipient = %s) AND (%s::text IS NULL OR status = %s)"
        " AND (%s::text IS NULL OR channel = %s)"
        " AND (%s::uuid IS NULL OR (made, delivery_id) <"
        " (SELECT d.made, d.delivery_id FROM deliveries d WHERE d.delivery_id = %s))"
        " ORDER BY made DESC, delivery_id DESC LIMIT %s",
        (recipient, recipient, status, status, channel, channel, before, before, limit),
    )
    return _with_attempts(conn, [row._asdict() for row in rows])


def shown(conn: Connection, delivery_id: UUID) -> Json | None:
    """One delivery with its attempts."""
    row = execute(conn, f"{_SHOWN} WHERE delivery_id = %s", (delivery_id,)).fetchone()
    return _with_attempts(conn, [row._asdict()])[0] if row else None


def _with_attempts(conn: Connection, found: list[Json]) -> list[Json]:
    by_id: dict[UUID, list[Json]] = {item["delivery_id"]: [] for item in found}
    tried = execute(
        conn,
        "SELECT delivery_id, number, began, ended, outcome, cause FROM attempts WHERE delivery_id = ANY(%s)"
        " ORDER BY delivery_id, number",
        (list(by_id),),
    )
    for row in tried:
        by_id[row.delivery_id].append(row._asdict())
    return [item | {"attempts": by_id[item["delivery_id"]]} for item in found]


def lock_delivery(conn: Connection, delivery_id: UUID) -> Any | None:
    """A delivery's state, held until the end of the transaction."""
    return execute(
        conn,
        "SELECT recipient, channel, status, cause, attempts, body IS NOT NULL OR facts IS NOT NULL AS whole"
        " FROM deliveries WHERE delivery_id = %s FOR UPDATE",
        (delivery_id,),
    ).fetchone()


def again(conn: Connection, delivery_id: UUID, now: datetime) -> None:
    """Try a message at once, with a new window of attempts."""
    execute(
        conn,
        "UPDATE deliveries SET status = 'pending', due_at = %s, since = %s WHERE delivery_id = %s",
        (now, now, delivery_id),
    )
    wake(conn)
