"""What one reader may see of an event; the same rule for webhooks, `/events` and the stream. In doubt, nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from jalons.clock import derived_id
from schemas.catalogue import TYPES
from schemas.envelope import Event, attributes
from schemas.referral import RedirectedV1
from schemas.topics import DELIVERIES, DIRECTORY, PATHWAYS

Alias = Callable[[str, str], UUID]
"""(ref, partner) → the partner's alias of the person."""

COORDINATOR_SEES = (
    frozenset({"reference", "referrer", "recipient", "operator", "proposer", "employer", "moment", "reply_by", "at"})
    | {"redirected_reference", "new_recipient", "suggested_partner"}
    | {"number", "about", "since", "months"}
)
"""The stream: spoken references, from, to, moment, and how long something waits (which reminder, what is due since
when); never a person-bound id, a profile, a reason or an outcome."""

EMPLOYER_NEVER_SEES = frozenset({"referrer"}) | {
    f"sealed.{name}" for name in ("reason", "declined_by", "goal", "chosen_by", "disclosed", "outcome")
}
"""Where a referral goes to an employer: neither who stands behind the person nor why they come. Of placements the
schemas say as much."""


def parties(event: Event) -> dict[str, str]:
    """Party field → partner, for the parties an event of a person names (`home` included)."""
    named = ("home", *type(event.data).SEEN_BY)
    return {field: partner for field in named if isinstance(partner := getattr(event.data, field, None), str)}


def concerned(event: Event) -> frozenset[str]:
    """The partners that are told because they hold something of the person, not as a party of an act."""
    listed = getattr(event.data, "partners", ()) if "partners" in type(event.data).SEEN_BY else ()
    return frozenset(listed)


def cut(event: Event, reader: str, alias: Alias) -> dict[str, Any] | None:
    """The CloudEvent as a partner may see it, sealed fields in clear among the others; None if it may see nothing.

    The home partner sees all of it, under the ref. Another party sees its own fields under its own alias, and no
    causation or numbering, which two partners could join. An employer does not even learn who acted or on whom. A
    partner that only holds something learns that it happened, and to whom.
    """
    topic = event.data.TOPIC
    if topic == PATHWAYS:
        return _of_a_person(event, reader, alias)
    if topic == DIRECTORY:
        own = event.data.READ_BY
        return _whole(event) if own is None or getattr(event.data, own) == reader else None
    return _told(event) if topic == DELIVERIES and getattr(event.data, "recipient", None) == reader else None


def for_coordinator(event: Event) -> dict[str, Any] | None:
    """The event as the stream shows it: type, time, who acted, and what COORDINATOR_SEES; None if it shows nothing."""
    if not event.data.TO_COORDINATOR:
        return None
    if event.data.TOPIC == DIRECTORY:
        return _whole(event)
    if event.data.TOPIC != PATHWAYS:
        return None
    data = {k: v for k, v in _fields(event).items() if k in COORDINATOR_SEES}
    return {
        "specversion": "1.0",
        "id": str(event.id),
        "source": event.source,
        "type": event.type,
        "time": event.time.isoformat(),
        "recordedtime": event.recorded.isoformat(),
        "partner": event.partner,
        "data": data,
    }


def _fields(event: Event) -> dict[str, Any]:
    """Open and sealed fields, the latter named `sealed.x`."""
    fields = event.data.model_dump(mode="json", exclude_none=True)
    if event.sealed is not None:
        sealed = event.sealed.model_dump(mode="json", exclude_none=True)
        fields |= {f"sealed.{name}": value for name, value in sealed.items()}
    return fields


def _whole(event: Event) -> dict[str, Any]:
    data = {name.removeprefix("sealed."): value for name, value in _fields(event).items()}
    return attributes(event) | {"data": data}


def _of_a_person(event: Event, reader: str, alias: Alias) -> dict[str, Any] | None:
    roles = [field for field, partner in parties(event).items() if partner == reader]
    if "home" in roles:
        return _whole(event)
    if reader in concerned(event):
        return _unsaid(event, reader, alias(event.subject, reader))
    seen = frozenset[str]().union(*(type(event.data).SEEN_BY[role] for role in roles))
    if not seen:
        return None
    bare = roles == ["employer"] or (roles == ["recipient"] and getattr(event.data, "recipient_kind", "") == "employer")
    return _partly(
        event, seen - EMPLOYER_NEVER_SEES if bare else seen, bare=bare, subject=str(alias(event.subject, reader))
    )


def _told(event: Event) -> dict[str, Any]:
    """What became of a message, without the call it goes back to: two partners told of one act could join on that."""
    joining = ("correlationid", "causationid", "traceparent")
    known = {name: value for name, value in _whole(event).items() if name not in joining}
    about = str(own_id(UUID(known["data"]["about"]), known["data"]["about_type"], known["data"]["recipient"]))
    return known | {"data": known["data"] | {"about": about}}


def _unsaid(event: Event, reader: str, subject: UUID) -> dict[str, Any]:
    """That it happened, to whom and on which day: not who acted, since for an employer that names a CPAS. Others hold
    something of the person too, so its id and its instant are this reader's own: nothing to join on."""
    known = _partly(event, frozenset(), bare=True, subject="")
    known |= {"id": str(own_id(event.id, event.type, reader)), "time": _day(event.time)}
    known |= {"recordedtime": _day(event.recorded)}
    met_as_employer = any(each.partner == reader and each.as_employer for each in getattr(event.data, "holdings", ()))
    return known if met_as_employer else known | {"subject": str(subject)}


def own_id(event_id: UUID, type_: str, reader: str) -> UUID:
    """An event's id as a partner meets it: one of its own where several are told who know the person apart."""
    told = TYPES[type_].SEEN_BY if type_ in TYPES else {}
    return derived_id(event_id, reader) if "partners" in told else event_id


def _day(at: datetime) -> str:
    return at.replace(hour=0, minute=0, second=0, microsecond=0).isoformat()


def _partly(event: Event, seen: frozenset[str], *, bare: bool, subject: str) -> dict[str, Any]:
    envelope: dict[str, Any] = {
        "specversion": "1.0",
        "id": str(event.id),
        "source": event.source,
        "type": event.type,
        "time": event.time.isoformat(),
        "datacontenttype": "application/json",
        "recordedtime": event.recorded.isoformat(),
    }
    if not bare:
        envelope |= {"subject": subject, "partner": event.partner}
    if isinstance(event.data, RedirectedV1) or getattr(event.data, "lapsed", False):
        envelope |= {"time": _day(event.time), "recordedtime": _day(event.recorded)}  # another partner's act caused it
    if "sealed.reason" in seen:
        seen |= {"sealed.finer"}  # the same reason, in the network's own words
    data = {name.removeprefix("sealed."): value for name, value in _fields(event).items() if name in seen}
    return envelope | {"data": data}
