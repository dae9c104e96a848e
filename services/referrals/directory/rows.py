"""Rows of partners, conventions, offers and communes: every function reads or writes in the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Integer,
    RowMapping,
    ScalarSelect,
    Table,
    Text,
    column,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
    union,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from jalons.postgres import lock
from services.referrals import tables
from services.referrals.agreements.rules import Convention, destinations
from services.referrals.calls.cursors import place
from services.referrals.directory.communes import COMMUNES, Commune, distances
from services.referrals.directory.fitting import fits
from services.referrals.directory.places import PLACEMENT_HOLDS, REFERRAL_HOLDS
from services.referrals.tables import conventions as _conventions
from services.referrals.tables import offers as _offers
from services.referrals.tables import partners as _partners

Row = dict[str, Any]
"""A row by column name."""


def lock_name(conn: Connection, kind: str, name: str) -> None:
    """Lock a directory id until the transaction ends; the id need not exist yet."""
    lock(conn, f"{kind} {name}")


def save(conn: Connection, table: Table, values: Mapping[str, Any]) -> int:
    """Insert a row, or replace the one with the same primary key; returns its new version."""
    keys = [key.name for key in table.primary_key]
    new = insert(table).values(dict(values))
    changes = {name: new.excluded[name] for name in values if name not in keys}
    saved = new.on_conflict_do_update(index_elements=keys, set_={**changes, "version": table.c.version + 1})
    return int(conn.execute(saved.returning(table.c.version)).scalar_one())


def set_status(conn: Connection, table: Table, key: str | UUID, status: str) -> None:
    """Change the status of the row with this primary key, and count its version up."""
    [named] = table.primary_key
    conn.execute(update(table).where(named == key).values(status=status, version=table.c.version + 1))


def partner(conn: Connection, slug: str) -> Row | None:
    """One partner."""
    return partners_of(conn, [slug]).get(slug)


def partners_of(conn: Connection, slugs: Collection[str]) -> dict[str, Row]:
    """The partners with these slugs that exist, by slug."""
    rows = conn.execute(select(_partners).where(_partners.c.slug.in_(sorted(slugs)))).mappings()
    return {row["slug"]: dict(row) for row in rows}


def front(conn: Connection) -> Row | None:
    """The active partner that speaks to employers for the network."""
    speaks = select(_partners).where(_partners.c.front, _partners.c.status == "active")
    row = conn.execute(speaks).mappings().first()
    return dict(row) if row else None


def partners(conn: Connection, after: str, limit: int) -> list[Row]:
    """A page of partners, ordered by slug."""
    page = select(_partners).where(_partners.c.slug > after).order_by(_partners.c.slug).limit(limit)
    return [dict(row) for row in conn.execute(page).mappings()]


def offer(conn: Connection, name: str, *, lock: bool = False) -> Row | None:
    """One offer. lock: lock its row, so that the count of its places stays true until the transaction ends."""
    statement = select(_offers).where(_offers.c.offer == name)
    row = conn.execute(statement.with_for_update() if lock else statement).mappings().first()
    return dict(row) if row else None


def _places_taken() -> ScalarSelect[int]:
    """The number of persons who hold a place of the offer in the enclosing query. A person with both a referral and a
    placement counts once; an erased person does not count."""
    acts, jobs = tables.referrals, tables.placements
    # The key is part of the statement: an index on an expression does not match a parameter.
    offer_of_job = jobs.c.facts[literal("offer", literal_execute=True)].astext
    referred = select(acts.c.ref).where(
        acts.c.offer == _offers.c.offer, acts.c.status.in_(REFERRAL_HOLDS), ~acts.c.facts.has_key("erased")
    )
    placed = select(jobs.c.ref).where(
        offer_of_job == _offers.c.offer,
        jobs.c.status.in_(PLACEMENT_HOLDS),
        _offers.c.type == "emploi",
        ~jobs.c.facts.has_key("erased"),
    )
    held = union(referred.correlate(_offers), placed.correlate(_offers)).subquery("held")
    return select(func.count()).select_from(held).scalar_subquery()


def taken(conn: Connection, row: Row) -> int:
    """How many places of an offer are taken; exact while its row is locked."""
    return int(conn.execute(select(_places_taken()).where(_offers.c.offer == row["offer"])).scalar_one())


@dataclass(frozen=True, slots=True)
class OfferFilter:
    """The filters of a search for offers on a day; a filter that is not given does not narrow the search.

    columns: values that an offer's own columns must have. kind: its partner's kind. trial: whether its partner is on
    trial. distances: km by NIS code, from the commune the search starts at. within_km: the greatest of these distances.
    free: with a place left. transport_help: with help to get there. covered: pairs of partner and moment, of which an
    offer must match one. past: also closed offers, offers outside their dates, and those of partners that are not
    active.
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
"""The distance in km by which an offer is sorted whose distance is unknown: after all others."""
FIRST_PAGE = (-1, "")


def offers(conn: Connection, wanted: OfferFilter, after: tuple[int, str], limit: int) -> list[Row]:
    """A page of offers, ordered by distance, then by name; each with partner_name, partner_kind, taken and distance_km.

    after: distance (FAR if unknown) and name of the last offer of the page before; FIRST_PAGE for the first page.
    """
    near = (
        func.unnest(
            literal(list(wanted.distances), ARRAY(Text)), literal(list(wanted.distances.values()), ARRAY(Integer))
        )
        .table_valued(column("nis", Text), column("km", Integer))
        .render_derived(name="near")
    )
    found = (
        select(
            _offers,
            _partners.c.name.label("partner_name"),
            _partners.c.kind.label("partner_kind"),
            _places_taken().label("taken"),
            near.c.km.label("distance_km"),
        )
        .join_from(_offers, _partners, _partners.c.slug == _offers.c.partner)
        .outerjoin(near, near.c.nis == _offers.c.commune_nis)
        .where(*_conditions(wanted, near.c.km))
        .subquery("found")
    )
    order = (func.coalesce(found.c.distance_km, FAR), found.c.offer)
    page = select(found).where(tuple_(*order) > tuple_(*after)).order_by(*order).limit(limit)
    if wanted.free:
        page = page.where(found.c.taken < found.c.places)
    return [dict(row) for row in conn.execute(page).mappings()]


def _conditions(wanted: OfferFilter, km: ColumnElement[int]) -> list[ColumnElement[bool]]:
    """The filters as conditions on an offer, its partner and its distance; all but `free`, which needs the count."""
    conditions = [_offers.c[name] == value for name, value in wanted.columns.items()]
    if not wanted.past:
        conditions += [_valid(_offers, wanted.on), _valid(_partners, wanted.on), _partners.c.status == "active"]
    if wanted.free or not (wanted.past or "status" in wanted.columns):
        conditions.append(_offers.c.status != "closed")
    if wanted.kind is not None:
        conditions.append(_partners.c.kind == wanted.kind)
    if wanted.trial is not None:
        conditions.append(_partners.c.trial == wanted.trial)
    if wanted.within_km is not None:
        conditions.append(km <= wanted.within_km)
    if wanted.transport_help:
        conditions.append(_offers.c.transport_help.is_(True))
    if wanted.covered is not None:
        conditions.append(tuple_(_offers.c.partner, _offers.c.moment).in_(sorted(wanted.covered)))
    return conditions


def _valid(table: Table, on: date) -> ColumnElement[bool]:
    """Whether a day lies within a row's dates, both included; without a date that side is open."""
    first, last = table.c.valid_from, table.c.valid_to
    return or_(first.is_(None), first <= on) & or_(last.is_(None), last >= on)


def fitting(
    conn: Connection, referrer: str, moment: str, commune_nis: str | None, excluding: Collection[str], today: date
) -> list[Row]:
    """The offers that fit a person (fitting.py), nearest to the commune first, at most 20; each as `offers` gives it.

    excluding: partners whose offers are left out.
    """
    mine = partner(conn, referrer)
    conventions = signed_of(conn, referrer)
    wanted = OfferFilter(
        today,
        {"moment": moment},
        trial=mine["trial"] if mine else None,
        distances=distances(communes(conn), commune_nis) if commune_nis else {},
        free=True,
        covered=destinations(conventions, referrer, today),
    )
    found = offers(conn, wanted, FIRST_PAGE, 500)
    open_to_them = [row for row in found if fits(row, moment, referrer, conventions, today)]
    return [row for row in open_to_them if row["partner"] not in excluding][:20]


def communes(conn: Connection) -> dict[str, Commune]:
    """The communes whose place is known, by NIS code: the built-in ones and those the network added."""
    added = added_communes(conn).items()
    return {**COMMUNES, **{nis: Commune(row["name"], row["latitude"], row["longitude"]) for nis, row in added}}


def added_communes(conn: Connection) -> dict[str, Row]:
    """The communes the network added, by NIS code."""
    return {row["nis"]: dict(row) for row in conn.execute(select(tables.communes)).mappings()}


_SHOWN_OF_CONVENTION = tuple(column for column in _conventions.c if column is not _conventions.c.added)


def convention(conn: Connection, convention_id: UUID) -> Row | None:
    """One convention."""
    row = (
        conn.execute(select(*_SHOWN_OF_CONVENTION).where(_conventions.c.convention_id == convention_id))
        .mappings()
        .first()
    )
    return dict(row) if row else None


def renewal_of(conn: Connection, convention_id: UUID) -> bool:
    """Whether a signed convention renews this one."""
    renews = (_conventions.c.renews == convention_id) & (_conventions.c.status == "signed")
    return conn.scalar(select(_conventions.c.convention_id).where(renews).limit(1)) is not None


def conventions(conn: Connection, party: str | None, after: UUID | None, limit: int) -> list[Row]:
    """A page of conventions, oldest first. party: only those this partner is a party of. after: the last id of the
    previous page. Raises UnknownCursor."""
    c = _conventions.c
    listed = true() if party is None else c.parties.contains([party])
    page = select(*_SHOWN_OF_CONVENTION).where(listed).order_by(c.added).limit(limit)
    if after is not None:
        page = page.where(c.added > place(conn, _conventions, c.convention_id, after, listed))
    rows = conn.execute(page).mappings()
    return [dict(row) for row in rows]


def signed_of(conn: Connection, *parties: str) -> list[Convention]:
    """The signed conventions that all these partners are parties of, oldest first."""
    columns = _conventions.c
    signed = select(_conventions).where(columns.parties.contains(list(parties)), columns.status == "signed")
    return [_covering(row) for row in conn.execute(signed.order_by(columns.added)).mappings()]


def signed_with(conn: Connection, partners: Collection[str]) -> list[Convention]:
    """The signed conventions that any of these partners is a party of, oldest first."""
    columns = _conventions.c
    signed = select(_conventions).where(columns.parties.overlap(sorted(partners)), columns.status == "signed")
    return [_covering(row) for row in conn.execute(signed.order_by(columns.added)).mappings()]


def _covering(row: RowMapping) -> Convention:
    """The part of a convention that decides whether a referral is covered."""
    return Convention(
        row["convention_id"],
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
        frozenset(row["carries"]),
    )
