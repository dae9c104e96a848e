"""Writes partners, clients, conventions, communes and offers: the coordinator all of them, a partner its own offers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from jalons.clock import random_id
from jalons.web.identity import SCOPES
from jalons.web.problems import Problem
from schemas import convention as conventions
from schemas import offer as offers
from schemas import partner as partners
from schemas.routing import FRONT
from services.referrals import refusals, tables
from services.referrals.acts.lifecycle import Office
from services.referrals.agreements.rules import is_no_wider
from services.referrals.deadlines import rows as deadlines
from services.referrals.deadlines.rows import DeadlineSubject
from services.referrals.deadlines.rules import LAPSE_DAYS, Deadline, at_end_of, ending
from services.referrals.deadlines.working_days import after_working_days
from services.referrals.directory import addresses, places
from services.referrals.directory import rows as directory
from services.referrals.identity import rows as identity
from services.referrals.identity.client_secrets import hashed, new_secret
from services.referrals.identity.rows import Client
from services.referrals.work import Work

_STATUS_EVENT: dict[str, type[partners.PartnerRecord]] = {
    "active": partners.UpdatedV1,
    "candidate": partners.UpdatedV1,
    "suspended": partners.SuspendedV1,
    "left": partners.LeftV1,
}


def put_partner(work: Work, slug: str, record: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """Write a partner's whole record; returns the stored row, and whether it is new. No change, no event.

    Raises Stale and Problem 422.
    """
    if slug in {*Office, FRONT}:
        raise refusals.invalid("partner", "the hub, the coordinator and the front have these names")
    _check_dates(record)
    directory.lock_name(work.conn, "directory", slug)
    known = directory.partner(work.conn, slug)
    work.expect(known["version"] if known else None)
    if known:
        _check_kept_places(work, known, record)
    values = {"slug": slug, "status": known["status"] if known else "active", **record}
    if known and all(known[name] == value for name, value in values.items()):
        return known, False
    _check_front(work, values)
    version = directory.save(work.conn, tables.partners, values)
    event = partners.UpdatedV1 if known else partners.RegisteredV1
    work.record(slug, event.model_validate(values))
    return {**values, "version": version}, known is None


def _check_kept_places(work: Work, known: Mapping[str, Any], record: Mapping[str, Any]) -> None:
    """A place that somebody may still have to go to is not taken away. Raises Problem 409."""
    dropped = {place["code"] for place in known["places"]} - {place["code"] for place in record["places"]}
    if used := addresses.places_in_use(work.conn, known["slug"], dropped):
        raise refusals.place_in_use(used)


def set_partner_status(work: Work, slug: str, status: str) -> dict[str, Any]:
    """Change a partner's status: it enters, pauses or leaves. Raises Stale and Problem 404."""
    directory.lock_name(work.conn, "directory", slug)
    known = directory.partner(work.conn, slug)
    if known is None:
        raise refusals.not_found("partner")
    work.expect(known["version"])
    if known["status"] == status:
        return known
    values = {**known, "status": status}
    _check_front(work, values)
    directory.set_status(work.conn, tables.partners, slug, status)
    work.record(slug, _STATUS_EVENT[status].model_validate(values))
    return {**values, "version": known["version"] + 1}


def _check_front(work: Work, values: Mapping[str, Any]) -> None:
    """At most one active partner is the network's front. Raises Problem 409."""
    if not values["front"] or values["status"] != "active":
        return
    directory.lock_name(work.conn, "directory", FRONT)
    front = directory.front(work.conn)
    if front and front["slug"] != values["slug"]:
        raise refusals.front_taken(front["slug"])


def put_commune(work: Work, nis: str, record: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """Write where a commune lies; returns the stored row, and whether it is new. Raises Stale. It makes no event."""
    directory.lock_name(work.conn, "commune", nis)
    known = directory.added_communes(work.conn).get(nis)
    work.expect(known["version"] if known else None)
    values = {"nis": nis, **record}
    if known and all(known[name] == value for name, value in values.items()):
        return known, False
    return {**values, "version": directory.save(work.conn, tables.communes, values)}, known is None


def add_client(work: Work, slug: str, scopes: list[str]) -> tuple[str, str]:
    """Add a client of a partner; returns its id and its secret, which is never shown again. Raises Problem 404, 422."""
    if directory.partner(work.conn, slug) is None:
        raise refusals.not_found("partner")
    if not set(scopes) <= set(SCOPES) - {"operator", "hub"}:
        raise refusals.invalid("scopes", "partners' clients have partner, coordinator or read:counts")
    client_id, secret = f"{slug}-{str(random_id())[-8:]}", new_secret()
    identity.add_client(work.conn, Client(client_id, slug, hashed(secret), tuple(scopes)), work.call.now)
    return client_id, secret


def sign_convention(work: Work, record: Mapping[str, Any]) -> dict[str, Any]:
    """Sign a convention, in force from its first day on; returns its row. Raises Problem 422."""
    parties = sorted(set(record["parties"]))
    known = directory.partners_of(work.conn, parties)
    for party in parties:
        if party not in known:
            raise refusals.unknown_partner(f"parties[{record['parties'].index(party)}]")
    for scope in record["scope"]:
        if not {scope["from"], scope["to"]} <= set(parties):
            raise refusals.invalid("scope", "from and to must be parties of the convention")
    _check_dates(record)
    carries = _carried(work, record)
    values = {"convention_id": random_id(), **record, "parties": parties, "status": "signed", "carries": carries}
    directory.save(work.conn, tables.conventions, values)
    due = ending(record["valid_to"], work.call.today) if record["valid_to"] else []
    if record["valid_from"] > work.call.today:
        due.append(Deadline("cover", at_end_of(record["valid_from"] - timedelta(days=1))))
    subject = DeadlineSubject("convention", values["convention_id"], None, "end")
    deadlines.begin(work.conn, subject, work.call.id, due)
    deadlines.ask_cover(work.conn, values, work.call.id, work.call.now)
    _record_convention(work, conventions.SignedV1, values)
    return {**values, "version": 1}


def _carried(work: Work, record: Mapping[str, Any]) -> list[UUID]:
    """The conventions whose agreements hold under a new one: the one it renews and those that one carries, if its lists
    are no wider. Raises Problem 422."""
    if record.get("renews") is None:
        return []
    old = directory.convention(work.conn, record["renews"])
    if old is None:
        raise refusals.invalid("renews", "there is no such convention")
    return [old["convention_id"], *old["carries"]] if is_no_wider(record, old) else []


_CONVENTION_STEPS: dict[str, tuple[set[str], str, type[conventions.ConventionRecord]]] = {
    "suspend": ({"signed"}, "suspended", conventions.SuspendedV1),
    "resume": ({"suspended"}, "signed", conventions.SignedV1),
    "terminate": ({"signed", "suspended"}, "terminated", conventions.TerminatedV1),
}


def step_convention(work: Work, convention_id: UUID, action: str) -> dict[str, Any]:
    """Suspend, resume or terminate a convention; returns its row. Raises Stale and Problem 404, 409."""
    directory.lock_name(work.conn, "directory", str(convention_id))
    known = directory.convention(work.conn, convention_id)
    if known is None:
        raise refusals.not_found("convention")
    work.expect(known["version"])
    source, target, event = _CONVENTION_STEPS[action]
    if known["status"] not in source:
        open_now = [name for name, (allowed, _, _) in _CONVENTION_STEPS.items() if known["status"] in allowed]
        raise Problem(
            409,
            "transition_not_allowed",
            f"`{action}` is not open while the convention is `{known['status']}`.",
            f"Open now: {', '.join(open_now) or 'nothing'}.",
            actions=open_now,
        )
    if target == "terminated":
        deadlines.end(work.conn, convention_id)
    return _set_convention_status(work, known, target, event)


def convention_due(work: Work, convention_id: UUID, due: Collection[Deadline]) -> None:
    """Act, as the hub, on what is due of a convention: its first day, its end, or the question whether it is renewed;
    nothing once it was terminated. The caller holds its name."""
    known = directory.convention(work.conn, convention_id)
    kinds = {each.kind for each in due}
    if known is None or known["status"] not in ("signed", "suspended"):
        return
    if "expire" in kinds:
        _set_convention_status(work, known, "expired", conventions.ExpiredV1)
    elif "cover" in kinds:
        deadlines.ask_cover(work.conn, known, work.call.id, work.call.now)
    elif not directory.renewal_of(work.conn, convention_id):
        asked = {"number": max(each.number for each in due), "cancelled_on": _cancelled_on(known["valid_to"])}
        _record_convention(work, conventions.RenewalDueV1, {**known, **asked})


def _cancelled_on(last: date) -> date:
    return after_working_days(last, LAPSE_DAYS)


def _set_convention_status(
    work: Work, known: Mapping[str, Any], status: str, event: type[conventions.ConventionRecord]
) -> dict[str, Any]:
    directory.set_status(work.conn, tables.conventions, known["convention_id"], status)
    values = {**known, "status": status, "version": known["version"] + 1}
    _record_convention(work, event, values)
    deadlines.ask_cover(work.conn, values, work.call.id, work.call.now)
    return values


def put_offer(work: Work, name: str, record: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """Write an offer's whole record; returns the stored row, and whether it is new. Raises Stale and Problem 403, 422.

    An offer that its own partner writes is confirmed by it.
    """
    directory.lock_name(work.conn, "directory", name)
    known = directory.offer(work.conn, name, lock=True)
    owner = known["partner"] if known else record["partner"]
    if not work.call.principal.has("coordinator") and work.call.principal.partner != owner:
        raise refusals.not_yours("offer")
    if record["partner"] != owner:
        raise refusals.invalid("partner", "an offer does not change hands")
    _check_dates(record)
    work.expect(known["version"] if known else None)
    partner = directory.partner(work.conn, owner)
    if partner is None:
        raise refusals.unknown_partner("partner")
    addresses.check_place(partner, record["place"])
    record = {**record, "status": _status(work, known, record)}
    if known and all(known[key] == value for key, value in record.items()):
        return known, False
    confirmed = work.call.today if work.call.principal.partner == owner else known and known["last_confirmed_on"]
    return _save_offer(work, {"offer": name, **record, "last_confirmed_on": confirmed}), known is None


def confirm_offer(work: Work, name: str) -> dict[str, Any]:
    """Confirm, as its partner, that an offer is up to date; returns its row. Raises Stale and Problem 403, 404."""
    directory.lock_name(work.conn, "directory", name)
    known = directory.offer(work.conn, name, lock=True)
    if known is None:
        raise refusals.not_found("offer")
    if work.call.principal.partner != known["partner"]:
        raise refusals.not_yours("offer")
    work.expect(known["version"])
    if known["last_confirmed_on"] == work.call.today:
        return known
    return _save_offer(work, known | {"last_confirmed_on": work.call.today})


def _save_offer(work: Work, row: Mapping[str, Any]) -> dict[str, Any]:
    """Store an offer and record the event; returns its row."""
    values = {name: value for name, value in row.items() if name != "version"}
    version = directory.save(work.conn, tables.offers, values)
    event = offers.ClosedV1 if values["status"] == "closed" else offers.PublishedV1
    work.record(values["offer"], event.model_validate(values))
    return {**values, "version": version}


def _status(work: Work, known: dict[str, Any] | None, record: Mapping[str, Any]) -> str:
    """An offer's status: its partner says whether it is closed, the places whether it is full. Raises Problem 422."""
    taken = directory.taken(work.conn, known) if known else 0
    if known and record["places"] < min(taken, known["places"]):
        raise refusals.invalid("places", f"{taken} are taken")
    return places.status(record["status"], record["places"], taken)


def _check_dates(record: Mapping[str, Any]) -> None:
    if record["valid_from"] and record["valid_to"] and record["valid_to"] < record["valid_from"]:
        raise refusals.invalid("valid_to", "before valid_from")


def _record_convention(work: Work, event: type[conventions.ConventionRecord], values: Mapping[str, Any]) -> None:
    scope = [{"referrer": s["from"], "recipient": s["to"], "moments": s["moments"]} for s in values["scope"]]
    work.record(values["convention_id"], event.model_validate({**values, "scope": scope}))
