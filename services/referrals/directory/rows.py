"""Partners, conventions and offers: the *bottin social*."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import Connection

from jalons.database import Asked, execute, given, one
from services.referrals.agreements.rules import Convention, destinations
from services.referrals.directory.communes import COMMUNES, Commune, distances
from services.referrals.directory.fitting import fits
from services.referrals.directory.places import PLACEMENT_HOLDS, REFERRAL_HOLDS

Row = dict[str, Any]
Exchange = tuple[dict[str, Row], list[Convention]]

_CONVENTION_COLUMNS = (
    "convention_id, parties, status, valid_from, valid_to, scope, shared_attributes, legal_basis,"
    " reply_within_working_days, remind_on_working_days, expire_after_days, escalate_on_working_day, retention_months,"
    " version"
)

_TAKEN = f"""
    SELECT count(*)::int FROM (
        SELECT r.ref FROM referrals r WHERE r.offer = o.offer AND r.status IN {REFERRAL_HOLDS}
        AND NOT r.facts ? 'erased'
        UNION
        SELECT p.ref FROM placements p
        WHERE p.facts->>'offer' = o.offer AND p.status IN {PLACEMENT_HOLDS} AND o.type = 'emploi'
        AND NOT p.facts ? 'erased'
    ) AS held
"""
"""The persons who hold a place of the offer `o`: each once, by a referral, a placement or both; an erased person
holds none."""


def lock_name(conn: Connection, kind: str, name: str) -> None:
    """Hold a directory id until the transaction ends, also one that does not exist yet."""
    execute(conn, "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"{kind} {name}",))


def partner(conn: Connection, slug: str) -> Row | None:
    """One partner."""
    return partners_of(conn, [slug]).get(slug)


def partners_of(conn: Connection, slugs: Collection[str]) -> dict[str, Row]:
    """The partners that exist of these, by slug."""
    rows = execute(conn, "SELECT * FROM partners WHERE slug = ANY(%s)", (sorted(slugs),))
    return {row.slug: row._asdict() for row in rows}


def partners(conn: Connection, after: str, limit: int) -> list[Row]:
    """A page of partners, by slug."""
    rows = execute(conn, "SELECT * FROM partners WHERE slug > %s ORDER BY slug LIMIT %s", (after, limit))
    return [row._asdict() for row in rows]


def save(conn: Connection, table: str, key: str, values: Mapping[str, Any]) -> int:
    """Insert or replace a directory row whole; its new version."""
    columns = ", ".join(values)
    slots = ", ".join(["%s"] * len(values))
    changes = ", ".join(f"{column} = excluded.{column}" for column in values if column != key)
    return int(
        one(
            conn,
            f"INSERT INTO {table} ({columns}) VALUES ({slots}) ON CONFLICT ({key}) DO UPDATE"
            f" SET {changes}, version = {table}.version + 1 RETURNING version",
            tuple(_adapted(value) for value in values.values()),
        ).version
    )


def offer(conn: Connection, name: str, *, lock: bool = False) -> Row | None:
    """One offer. lock: its row, so that its places stay as they are counted."""
    row = execute(conn, "SELECT * FROM offers WHERE offer = %s" + (" FOR UPDATE" if lock else ""), (name,)).fetchone()
    return row._asdict() if row else None


def taken(conn: Connection, row: Row) -> int:
    """How many of an offer's places are somebody's; exact while its row is locked."""
    return int(one(conn, f"SELECT ({_TAKEN}) AS taken FROM offers o WHERE o.offer = %s", (row["offer"],)).taken)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of offers on a day; what is not given is not asked.

    columns: an offer's own, by value. kind: its partner's. trial: whether its partner is on trial. distances: km by
    NIS code, nearest first. covered: (partner, moment) pairs. past: also what is closed, outside its dates, or of a
    partner that is not active.
    """

    on: date
    columns: Mapping[str, str] = field(default_factory=dict)
    kind: str | None = None
    trial: bool | None = None
    distances: Mapping[str, int] = field(default_factory=dict)
    within_km: int | None = None
    free: bool = False
    transport_help: bool = False
    covered: Collection[tuple[str, str]] | None = None
    past: bool = False


FAR = 100_000
"""Where an offer stands whose distance nobody knows or asked for: after all others."""


def offers(conn: Connection, wanted: Wanted, after: tuple[int, str], limit: int) -> list[Row]:
    """A page of offers, nearest first, then by name; each with partner_name, partner_kind, taken and distance_km.

    after: the distance (FAR for none) and the name that the page before ended with.
    """
    near, values = given("text int", list(wanted.distances.items()))
    where, asked = _asked(wanted)
    rows = execute(
        conn,
        f"SELECT * FROM (SELECT o.*, p.name AS partner_name, p.kind AS partner_kind, ({_TAKEN}) AS taken,"
        " d.km AS distance_km FROM offers o JOIN partners p ON p.slug = o.partner"
        f" LEFT JOIN {near} AS d(nis, km) ON d.nis = o.commune_nis WHERE {' AND '.join(where)}) AS found"
        f" WHERE (coalesce(distance_km, {FAR}), offer) > (%s, %s)"
        + (" AND taken < places" if wanted.free else "")
        + f" ORDER BY coalesce(distance_km, {FAR}), offer LIMIT %s",
        (*values, *asked, *after, limit),
    )
    return [row._asdict() for row in rows]


def _asked(wanted: Wanted) -> tuple[list[str], list[Any]]:
    """The conditions on an offer `o`, its partner `p` and its distance `d`, and their values."""
    conditions: list[tuple[str, list[Any]]] = [(f"o.{name} = %s", [value]) for name, value in wanted.columns.items()]
    if not wanted.past:
        valid = "daterange({0}.valid_from, {0}.valid_to, '[]') @> %s::date"
        conditions += [(valid.format("o"), [wanted.on]), (valid.format("p"), [wanted.on]), ("p.status = 'active'", [])]
    if wanted.free or not (wanted.past or "status" in wanted.columns):
        conditions.append(("o.status <> 'closed'", []))
    if wanted.kind is not None:
        conditions.append(("p.kind = %s", [wanted.kind]))
    if wanted.trial is not None:
        conditions.append(("p.trial = %s", [wanted.trial]))
    if wanted.within_km is not None:
        conditions.append(("d.km <= %s", [wanted.within_km]))
    if wanted.transport_help:
        conditions.append(("o.transport_help", []))
    if wanted.covered is not None:
        pairs, values = given("text text", sorted(wanted.covered))
        conditions.append((f"(o.partner, o.moment) IN (SELECT * FROM {pairs} AS c(partner, moment))", values))
    return [text for text, _ in conditions] or ["true"], [value for _, values in conditions for value in values]


def fitting(
    conn: Connection, referrer: str, moment: str, commune_nis: str | None, excluding: Collection[str], today: date
) -> list[Row]:
    """The offers that would do for a person: see domain/fitting.py. Nearest to the commune first, at most 20.

    excluding: partners whose offers are left out. Each has what `offers` gives.
    """
    mine = partner(conn, referrer)
    conventions = signed_by(conn, referrer)
    wanted = Wanted(
        today,
        {"moment": moment},
        trial=mine["trial"] if mine else None,
        distances=distances(communes(conn), commune_nis) if commune_nis else {},
        free=True,
        covered=destinations(conventions, referrer, today),
    )
    found = offers(conn, wanted, (-1, ""), 500)
    open_to_them = [row for row in found if fits(row, moment, referrer, conventions, today)]
    return [row for row in open_to_them if row["partner"] not in excluding][:20]


def communes(conn: Connection) -> dict[str, Commune]:
    """Where communes lie, by NIS code: those everybody knows and those the network added."""
    return {**COMMUNES, **{nis: _commune(row) for nis, row in added_communes(conn).items()}}


def added_communes(conn: Connection) -> dict[str, Row]:
    """The communes the network added, by NIS code."""
    return {row.nis: row._asdict() for row in execute(conn, "SELECT * FROM communes")}


def _commune(row: Row) -> Commune:
    return Commune(row["name"], row["latitude"], row["longitude"])


def convention(conn: Connection, convention_id: UUID) -> Row | None:
    """One convention."""
    row = execute(
        conn,
        f"SELECT {_CONVENTION_COLUMNS} FROM conventions WHERE convention_id = %s",
        (convention_id,),
    ).fetchone()
    return row._asdict() if row else None


def conventions(conn: Connection, party: str | None, after: UUID, limit: int) -> list[Row]:
    """A page of conventions by id; party: only those it is a party of."""
    rows = execute(
        conn,
        f"SELECT {_CONVENTION_COLUMNS} FROM conventions WHERE convention_id > %s"
        " AND (%s::text IS NULL OR parties @> ARRAY[%s::text]) ORDER BY convention_id LIMIT %s",
        (after, party, party, limit),
    )
    return [row._asdict() for row in rows]


def exchange(conn: Connection, referrer: str, recipient: str) -> Exchange:
    """Two partners' rows by slug and the signed conventions between them, in one look: every referral needs both."""
    return ask_exchange(conn, referrer, recipient)()


def ask_exchange(conn: Connection, referrer: str, recipient: str) -> Asked[Exchange]:
    """`exchange`, to be read later."""
    found = execute(
        conn,
        "SELECT true AS partner, to_jsonb(p) AS row FROM partners p WHERE slug IN (%s, %s) UNION ALL"
        " SELECT false, to_jsonb(c) FROM conventions c WHERE parties @> ARRAY[%s, %s]::text[] AND status = 'signed'",
        (referrer, recipient, referrer, recipient),
    )

    def answers() -> Exchange:
        rows = found.fetchall()
        known = {each.row["slug"]: _dated(each.row) for each in rows if each.partner}
        signed = [as_convention(_dated(each.row)) for each in rows if not each.partner]
        return known, sorted(signed, key=lambda convention: convention.convention_id)

    return answers


def between(conn: Connection, referrer: str, recipient: str) -> list[Convention]:
    """The signed conventions both partners are parties of, oldest first."""
    return _signed(conn, [referrer, recipient])


def signed_by(conn: Connection, party: str) -> list[Convention]:
    """The signed conventions a partner is a party of, oldest first."""
    return _signed(conn, [party])


def _signed(conn: Connection, parties: list[str]) -> list[Convention]:
    rows = execute(
        conn,
        f"SELECT {_CONVENTION_COLUMNS} FROM conventions"
        " WHERE parties @> %s::text[] AND status = 'signed' ORDER BY convention_id",
        (parties,),
    )
    return [as_convention(row._asdict()) for row in rows]


def as_convention(row: Row) -> Convention:
    """The part of a row that decides whether a referral is covered."""
    return Convention(
        UUID(str(row["convention_id"])),
        tuple(row["parties"]),
        row["status"],
        row["valid_from"],
        row["valid_to"],
        tuple((s["from"], s["to"], tuple(s["moments"])) for s in row["scope"]),
        frozenset(row["shared_attributes"]),
        row["reply_within_working_days"],
        tuple(row["remind_on_working_days"]),
        row["escalate_on_working_day"],
        row["expire_after_days"],
    )


def _dated(row: Row) -> Row:
    """A row that came as JSON, with its dates as such."""
    given = {at: row[at] and date.fromisoformat(row[at]) for at in ("valid_from", "valid_to")}
    return row | given


def set_status(conn: Connection, table: str, key: str, name: str | UUID, status: str) -> None:
    """Change the status of a directory row."""
    execute(
        conn,
        f"UPDATE {table} SET status = %s, version = version + 1 WHERE {key} = %s",
        (status, name),
    )


def _adapted(value: object) -> object:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return Jsonb(value)
    if isinstance(value, date | str | int | UUID) or value is None:
        return value
    return list(value) if isinstance(value, Sequence) else value
