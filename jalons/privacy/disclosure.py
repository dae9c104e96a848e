"""What one reader may see of an event: the table of `visibility`, applied. Whoever is not named in it sees nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from jalons.privacy.own_ids import OwnId, day_of
from jalons.privacy.visibility import FORMS, REASONS, Role, cell
from schemas.envelope import Envelope, Event, Payload, attributes
from schemas.placement import NAMES_THE_PROPOSER
from schemas.referral import CancelledV1
from schemas.topics import DIRECTORY, PATHWAYS

Alias = Callable[[str, str], UUID]
"""(ref, partner) → the partner's alias of the person."""

PARTIES: Mapping[str, Role] = {
    "home": Role.HOME,
    "referrer": Role.REFERRER,
    "proposer": Role.REFERRER,
    "recipient": Role.RECEIVER,
    "operator": Role.RECEIVER,
    "said_by": Role.REPORTER,
    "employer": Role.EMPLOYER,
}
"""Field that names a party → that party's role."""

_BY_PRECEDENCE = tuple(Role)


def role_of(
    reader: str,
    parties: Mapping[str, str],
    *,
    recipient_kind: str | None = None,
    holders: Mapping[str, bool] | None = None,
    ended: bool = False,
    uncovered: bool = False,
) -> Role:
    """The one role in which a partner reads an event or an act.

    parties: field → partner. recipient_kind: the kind of partner of a referral's recipient. holders: the partners that
    hold an earlier disclosure, and whether each met the person as an employer. ended: the referral was redirected or
    voided, so that its recipient only holds what it received before. uncovered: no agreement covers the reader
    any more, so that it too only holds what it received before.
    """
    mine = [PARTIES[field] for field, partner in parties.items() if partner == reader]
    if holders and reader in holders:
        mine.append(Role.EMPLOYER if holders[reader] else Role.HOLDER)
    role = min(mine, key=_BY_PRECEDENCE.index, default=Role.OTHER)
    if (role is Role.RECEIVER and ended) or (uncovered and role not in (Role.HOME, Role.OTHER)):
        return Role.HOLDER
    return Role.EMPLOYER if role is Role.RECEIVER and recipient_kind == "employer" else role


def role_in(event: Event, reader: str) -> Role:
    """The role in which a partner reads an event."""
    data: Any = event.data
    fields = type(event.data).model_fields
    kind = data.recipient_kind if "recipient_kind" in fields else None
    as_employer = {each.partner for each in data.holdings if each.as_employer} if "holdings" in fields else set()
    holders = {each: each in as_employer for each in data.partners} if "partners" in fields else None
    uncovered = "uncovered" in fields and reader in data.uncovered
    return role_of(reader, _named(event.data), recipient_kind=kind, holders=holders, uncovered=uncovered)


def parties(event: Event) -> dict[str, str]:
    """Field → partner, for the parties that an event of a person names (`home` included)."""
    return _named(event.data) if event.data.TOPIC == PATHWAYS else {}


def readers_of(event: Event) -> list[str] | None:
    """The partners that may see something of an event; None for the directory, which all partners read."""
    if event.data.TOPIC is DIRECTORY:
        return None
    return sorted({*_named(event.data).values(), *getattr(event.data, "partners", ())})


def cut(event: Event, reader: str, alias: Alias, own: OwnId) -> dict[str, Any] | None:
    """The CloudEvent as a partner sees it, sealed fields among the others; None if it sees nothing of it."""
    return _cut(event, role_in(event, reader), _Reader(reader, alias, own))


def for_coordinator(event: Event, reader: str, own: OwnId) -> dict[str, Any] | None:
    """The CloudEvent as the coordinator sees it; None if she sees nothing of it. reader: her partner."""
    return _cut(event, Role.COORDINATOR, _Reader(reader, None, own))


def open_fields(event: Event, role: Role) -> dict[str, Any]:
    """The fields of an event that are in clear on the bus and that a role sees, as JSON."""
    shown = _shown(type(event.data), role, lapsed=_is_lapsed(event))
    return event.data.model_dump(mode="json", exclude_none=True, include=set(shown))


def sees(payload: type[Payload], field: str, role: Role) -> bool:
    """Whether a role sees a field of a type of event; of `type`, whether it sees such events at all."""
    shown = _shown(payload, role, lapsed=False)
    return "type" in shown and field in shown


def withheld(payload: type[Payload], field: str, role: Role) -> str | None:
    """Why a field of a type of event is withheld from a role that can read such events; None if it is shown."""
    how = _cell(payload, field, role)
    return None if how in FORMS or how == "-" else REASONS[how]


def readers(payload: type[Payload]) -> dict[Role, tuple[str, ...]]:
    """Role → the fields of a type's data that it sees, for each role that can read such an event."""
    possible = [role for role in Role if role in _possible(payload)]
    return {role: tuple(name for name in _data_fields(payload) if sees(payload, name, role)) for role in possible}


def speaks_by_the_front(event: Event, reader: str) -> bool:
    """Whether a mail about an event speaks to this reader by the network's front, not by the other party."""
    if cell("mail", "contact.name", role_in(event, reader)) != "front":
        return False
    return getattr(event.sealed, "kind", None) not in NAMES_THE_PROPOSER


@cache
def _party_fields(payload: type[Payload]) -> tuple[str, ...]:
    return tuple(field for field in PARTIES if field in payload.model_fields)


def _named(data: Payload) -> dict[str, str]:
    return {field: getattr(data, field) for field in _party_fields(type(data))}


def _data_fields(payload: type[Payload]) -> list[str]:
    return [*payload.model_fields, *(payload.SEALED.model_fields if payload.SEALED else ())]


@cache
def _possible(payload: type[Payload]) -> frozenset[Role]:
    """The roles that some reader of a type can have."""
    fields = payload.model_fields
    found = {Role.COORDINATOR} | {role for field, role in PARTIES.items() if field in fields}
    if "recipient_kind" in fields:
        found |= {Role.EMPLOYER}
    if "holdings" in fields:
        found |= {Role.HOLDER, Role.EMPLOYER}
    return frozenset(found if payload.TOPIC == PATHWAYS else found | {Role.OTHER})


def _is_lapsed(event: Event) -> bool:
    return isinstance(event.data, CancelledV1) and event.data.lapsed


def _cell(payload: type[Payload], field: str, role: Role, *, lapsed: bool = False) -> str:
    noun, verb = payload.TYPE.split(".")[1:3]
    return cell(noun, field, role, "lapsed" if lapsed else verb, payload.TOPIC.name)


@cache
def _shown(payload: type[Payload], role: Role, *, lapsed: bool) -> Mapping[str, str]:
    """Field, of the envelope or the data → the form in which a role sees it; without those it does not see."""
    cells = {
        field: _cell(payload, field, role, lapsed=lapsed) for field in (*Envelope.model_fields, *_data_fields(payload))
    }
    return {field: how for field, how in cells.items() if how in FORMS}


@dataclass(frozen=True, slots=True)
class _Reader:
    """Who reads, and by which names of its own. alias: None for the coordinator, who is told no person."""

    name: str
    alias: Alias | None
    own: OwnId


def _cut(event: Event, role: Role, reader: _Reader) -> dict[str, Any] | None:
    shown = _shown(type(event.data), role, lapsed=_is_lapsed(event))
    if "type" not in shown:
        return None

    def form(name: str, value: Any) -> Any:
        return value if shown[name] == "yes" else _FORMS[shown[name], name](event, reader)

    data = event.data.model_dump(mode="json", exclude_none=True, include=set(shown))
    if event.sealed is not None:
        data |= event.sealed.model_dump(mode="json", exclude_none=True, include=set(shown))
    envelope = {name: form(name, value) for name, value in attributes(event).items() if name in shown}
    return envelope | {"data": {name: form(name, value) for name, value in data.items()}}


def seen_at(at: datetime, by: str, reader: str) -> datetime:
    """When something happened, as a reader sees it: to the day, unless it did it itself. The instant would be the same
    for all who are told of one act. by: the partner that acted."""
    return at if by == reader else day_of(at)


def _own_alias(event: Event, reader: _Reader) -> str | None:
    return str(reader.alias(event.subject, reader.name)) if reader.alias else None


def _own_holding(event: Event, reader: _Reader) -> list[dict[str, Any]]:
    """What was shared with the reader, by reference."""
    data: Any = event.data
    return [
        {"partner": each.partner, "references": list(each.references)}
        for each in data.holdings
        if each.partner == reader.name
    ]


def _own_about(event: Event, reader: _Reader) -> str:
    about: Any = event.data
    return str(reader.own(about.about, reader.name))


_FORMS: Mapping[tuple[str, str], Callable[[Event, _Reader], Any]] = {
    ("day", "time"): lambda event, reader: seen_at(event.time, event.partner, reader.name).isoformat(),
    ("day", "recordedtime"): lambda event, reader: seen_at(event.recorded, event.partner, reader.name).isoformat(),
    ("own", "subject"): _own_alias,
    ("own", "id"): lambda event, reader: str(reader.own(event.id, reader.name)),
    ("own", "correlationid"): lambda event, reader: str(reader.own(event.correlation, reader.name)),
    ("own", "causationid"): lambda event, reader: str(reader.own(event.causation, reader.name)),
    ("own", "about"): _own_about,
    ("own", "holdings"): _own_holding,
}
"""(Form, field) → the value to show in place of the event's own."""
