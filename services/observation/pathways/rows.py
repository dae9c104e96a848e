"""Statements on timelines and steps, and on who may ask for them. All work in the caller's transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Row,
    Table,
    Text,
    Uuid,
    and_,
    any_,
    delete,
    exists,
    literal,
    not_,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import insert

from jalons.messaging import outbox
from jalons.postgres import copy_rows
from schemas.catalogue import TYPES
from schemas.envelope import Event
from schemas.need import UnmetV1
from services.observation.pathways.rules import Step
from services.observation.tables import aliases, derivations, hidden, paused, steps, timeline

_ENVELOPE = ("sequence", "time", "recorded", "id", "correlation", "causation", "source", "partner")
"""Columns of the timeline that are fields of an event."""
_FIELDS = tuple(field.name for field in fields(Step))
_STEP = tuple(steps.c[name] for name in _FIELDS)
_values = attrgetter(*_FIELDS)  # `asdict` copies every value deeply: a third of a batch's time
_SAVE = insert(steps)
_SAVE = _SAVE.on_conflict_do_update(
    index_elements=[steps.c.subject, steps.c.first_event],
    set_={name: _SAVE.excluded[name] for name in _FIELDS if name != "first_event"},
)


def known_steps(conn: Connection, subjects: Collection[str], with_closed: Collection[str]) -> dict[str, list[Step]]:
    """The announced and open steps of these persons; of those in `with_closed` also the closed ones."""
    found: dict[str, list[Step]] = defaultdict(list)
    statement = (
        select(steps.c.subject, *_STEP)
        .where(
            steps.c.subject == _any_uuid(subjects),
            steps.c.retracted_at.is_(None),
            or_(steps.c.left_at.is_(None), steps.c.subject == _any_uuid(with_closed)),
        )
        .order_by(steps.c.first_event)
    )
    for subject, *step in conn.execute(statement):
        found[str(subject)].append(Step(*step))
    return found


def save_steps(conn: Connection, changed: Mapping[tuple[str, UUID], Step]) -> None:
    """Insert or replace steps. changed: (person, first event) → step."""
    rows = [
        {"subject": UUID(subject), **dict(zip(_FIELDS, _values(step), strict=True))}
        for (subject, _), step in changed.items()
    ]
    if rows:
        conn.execute(_SAVE, rows)


def add_to_timeline(conn: Connection, events: Sequence[tuple[int, Event]]) -> None:
    """Store events with their positions in the stream, without their sealed parts."""
    copy_rows(conn, timeline, [_timeline_row(position, event) for position, event in events])


def _timeline_row(position: int, event: Event) -> dict[str, Any]:
    data = event.data.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    own = {"position": position, "subject": UUID(event.subject), "type": event.type, "data": data}
    return own | {name: getattr(event, name) for name in _ENVELOPE}


def event_of(row: Row[Any]) -> Event:
    """The event of a row of the timeline."""
    envelope = {name: getattr(row, name) for name in _ENVELOPE}
    return Event(subject=str(row.subject), data=TYPES[row.type].model_validate(row.data).upcast(), **envelope)


def add_aliases(conn: Connection, known: Mapping[UUID, tuple[str, str]]) -> None:
    """Store aliases that are not stored yet. known: alias → (person, partner)."""
    rows = [{"alias": alias, "subject": UUID(ref), "partner": partner} for alias, (ref, partner) in known.items()]
    if rows:
        conn.execute(insert(aliases).on_conflict_do_nothing(), rows)


def person_of(conn: Connection, name: UUID, reader: str) -> UUID | None:
    """The person that a reader asks for: by the ref as the home partner, else by the reader's own alias. None if the
    reader does not know the person, or if no agreement covers the reader any more."""
    last = timeline.c.sequence.desc()
    home = conn.scalar(select(timeline.c.data["home"].astext).where(timeline.c.subject == name).order_by(last).limit(1))
    if home == reader:
        return name
    is_hidden = exists().where(hidden.c.subject == aliases.c.subject, hidden.c.partner == aliases.c.partner)
    return conn.scalar(
        select(aliases.c.subject).where(aliases.c.alias == name, aliases.c.partner == reader, not_(is_hidden))
    )


def home_ref(conn: Connection, name: UUID, partner: str) -> UUID | None:
    """The ref of a partner's own person; None for a person it knows by an alias or not at all."""
    person = person_of(conn, name, partner)
    return person if person == name else None


def events_of_referrals(conn: Connection, referrals: Mapping[UUID, str]) -> dict[UUID, list[Event]]:
    """The stored events of these referrals and the unmet needs they caused, in order. referrals: id → person."""
    found: dict[UUID, list[Event]] = {referral: [] for referral in referrals}
    referral_ids = literal([str(each) for each in referrals], ARRAY(Text))
    statement = (
        select(timeline)
        .where(
            timeline.c.subject == _any_uuid(set(referrals.values())),
            timeline.c.data["referral_id"].astext == any_(referral_ids),
            or_(timeline.c.type.startswith("jalons.referral."), timeline.c.type == UnmetV1.TYPE),
        )
        .order_by(timeline.c.subject, timeline.c.sequence)
    )
    for row in conn.execute(statement):
        found[UUID(row.data["referral_id"])].append(event_of(row))
    return found


def events_of(conn: Connection, person: UUID, as_of: datetime) -> list[Event]:
    """A person's events recorded until `as_of`, in order, without sealed parts."""
    statement = (
        select(timeline).where(timeline.c.subject == person, timeline.c.recorded <= as_of).order_by(timeline.c.sequence)
    )
    return [event_of(row) for row in conn.execute(statement)]


def steps_of(conn: Connection, person: UUID, as_of: datetime) -> list[Step]:
    """A person's entered steps as the hub knew them at `as_of`, ordered by when they were entered. A step left or
    retracted later is still open then."""
    statement = (
        select(*_STEP)
        .where(
            steps.c.subject == person,
            steps.c.entered_recorded <= as_of,
            or_(steps.c.retracted_at.is_(None), steps.c.retracted_at > as_of),
        )
        .order_by(steps.c.entered_at, steps.c.entered_recorded, steps.c.first_event)
    )
    found = []
    for row in conn.execute(statement):
        step = dict(row._mapping)
        if row.left_recorded is not None and row.left_recorded > as_of:
            step |= {"left_at": None, "left_recorded": None}
        found.append(Step(**step))
    return found


def save_paused(conn: Connection, is_paused: Mapping[str, bool]) -> None:
    """Store whether each of these persons is paused."""
    _save_flags(conn, paused, {(UUID(subject),): flag for subject, flag in is_paused.items()})


def save_hidden(conn: Connection, is_hidden: Mapping[tuple[str, str], bool]) -> None:
    """Store whether each (person, partner) is hidden."""
    _save_flags(conn, hidden, {(UUID(subject), partner): flag for (subject, partner), flag in is_hidden.items()})


def _save_flags(conn: Connection, table: Table, flags: Mapping[tuple[Any, ...], bool]) -> None:
    """Have a table hold the keys that are flagged and none of the others."""
    names = [column.name for column in table.primary_key]
    if added := [dict(zip(names, key, strict=True)) for key, flag in flags.items() if flag]:
        conn.execute(insert(table).on_conflict_do_nothing(), added)
    if removed := [key for key, flag in flags.items() if not flag]:
        conn.execute(delete(table).where(tuple_(*table.primary_key).in_(removed)))


def forget(conn: Connection, ref: str, names: Sequence[UUID]) -> None:
    """Delete everything about a person, and the aliases others ask by."""
    for table in (timeline, steps, paused, hidden):
        conn.execute(delete(table).where(table.c.subject == UUID(ref)))
    conn.execute(delete(derivations).where(derivations.c.subject == ref))
    outbox.forget(conn, ref)
    conn.execute(delete(aliases).where(aliases.c.alias == _any_uuid(names)))


def silent_persons(conn: Connection, before: datetime, limit: int) -> list[str]:
    """Refs of persons with a step without activity since `before`, sorted; nothing is locked."""
    statement = select(steps.c.subject).where(_silent(before)).order_by(steps.c.last_at).limit(limit)
    return sorted({str(subject) for subject in conn.scalars(statement)})


def lock_silent_steps(conn: Connection, before: datetime, refs: Collection[str]) -> list[tuple[str, Step, UUID]]:
    """Lock these persons' steps without activity since `before`, skipping those locked elsewhere. Each comes with its
    person and with the correlation of its last event."""
    statement = (
        select(steps.c.subject, timeline.c.correlation, *_STEP)
        .join(timeline, and_(timeline.c.subject == steps.c.subject, timeline.c.id == steps.c.last_event))
        .where(_silent(before), steps.c.subject == _any_uuid(refs))
        .order_by(steps.c.subject, steps.c.first_event)
        .with_for_update(of=steps, skip_locked=True)
    )
    return [(str(subject), Step(*step), correlation) for subject, correlation, *step in conn.execute(statement)]


def _silent(before: datetime) -> ColumnElement[bool]:
    """Open steps that can stall. The moment is no parameter: the planner must see that the index `steps_silent`
    applies."""
    return and_(
        steps.c.entered_at.is_not(None),
        steps.c.left_at.is_(None),
        not_(steps.c.stalled),
        not_(steps.c.suspended),
        steps.c.moment != literal("accueil", literal_execute=True),
        steps.c.last_at < before,
        not_(exists().where(paused.c.subject == steps.c.subject)),
    )


def _any_uuid(ids: Collection[UUID] | Collection[str]) -> ColumnElement[bool]:
    """One array parameter, so that the statement is the same for any number of ids."""
    return any_(literal([UUID(str(each)) for each in ids], ARRAY(Uuid)))
