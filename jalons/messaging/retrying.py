"""A retry applies a dead letter, or says what happened instead: one that applied nothing is not a mend."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from jalons.database import transaction
from jalons.messaging import conflicts, dead_letters, progress
from jalons.messaging.dead_letters import DeadLetter
from jalons.messaging.items import Item, of_entry, read_again
from jalons.messaging.outcomes import Retry, outcome_of
from jalons.messaging.source_log import LogUnavailable, contiguous, events_after

if TYPE_CHECKING:
    from jalons.messaging.deliver import Deliver

log = logging.getLogger(__name__)


def retry(deliver: Deliver, letter_id: UUID) -> str | None:
    """Try a dead letter again, and then what waits behind it, in order. None: it was applied now; else what happened
    instead. The letter is resolved if nothing is left to do.

    Raises LookupError if there is no open dead letter of that id.
    """
    with transaction(deliver.engine) as conn:
        letter = dead_letters.find(conn, letter_id)
        if letter is None or letter.resolved is not None:
            raise LookupError
        stored = dead_letters.stored_item(conn, letter_id)
    if letter.kind == "forged" and letter.place.topic is None:
        return _retry_applied(deliver, letter)
    if stored is None:
        return "its value was too large to keep"
    return _retry_parked(deliver, letter, stored) if letter.kind == "parked" else _retry_aside(deliver, letter, stored)


def _retry_applied(deliver: Deliver, letter: DeadLetter) -> str:
    """Something was applied that its source did not write: that is over once the source's own is in its place."""
    item = Item(letter.place, None, letter.source or "", letter.subject or "", letter.sequence or 0)
    try:
        conflicts.compare(deliver, item.source, item.subject)
        agreed = conflicts.agrees(deliver, item)
    except LogUnavailable as error:
        return _failed_retry(deliver, letter, str(error))
    if not agreed:
        return _failed_retry(deliver, letter, conflicts.NOT_KNOWN)
    _resolve(deliver, letter)
    return "its source's own event is in its place now; what the other one changed here stays as it is"


def _retry_aside(deliver: Deliver, letter: DeadLetter, stored: Item) -> str | None:
    item = read_again(stored, frozenset(deliver.logs))
    if item.flaw is not None:
        return _failed_retry(deliver, letter, item.flaw)
    if _has(deliver, item):
        _resolve(deliver, letter)
        return "it was applied already; there was nothing left to do"
    outcome = deliver.attempt([item])
    if isinstance(outcome, Retry):
        return _failed_retry(deliver, letter, outcome.why)
    if _has(deliver, item):
        _resolve(deliver, letter)
        _catch_up(deliver, item.source, item.subject)
        return None
    return _not_applied(deliver, letter, item)


def _not_applied(deliver: Deliver, letter: DeadLetter, item: Item) -> str:
    """Why a retry that failed nowhere applied nothing. What its source disowns, and what waits, is done with."""
    try:
        wrote = deliver.wrote(item)
    except LogUnavailable as error:
        return _failed_retry(deliver, letter, str(error))
    with transaction(deliver.engine) as conn:
        row = progress.load(conn, {(item.source, item.subject)}).get((item.source, item.subject))
    if wrote and (row is None or not row.parked):
        return _failed_retry(deliver, letter, "its source wrote it, but it still cannot be applied")
    _resolve(deliver, letter)
    if wrote:
        return "not applied: it waits behind a parked event of its subject, which is the one to retry"
    return "not applied: forged; its source's log says otherwise"


def _has(deliver: Deliver, item: Item) -> bool:
    stream = (item.source, item.subject)
    with transaction(deliver.engine) as conn:
        row = progress.load(conn, {stream}).get(stream, progress.Progress())
    return item.sequence <= row.last and row.has(item)


def _resolve(deliver: Deliver, letter: DeadLetter) -> None:
    with transaction(deliver.engine) as conn:
        dead_letters.resolve(conn, letter.id, deliver.now())


def _failed_retry(deliver: Deliver, letter: DeadLetter, reason: str) -> str:
    with transaction(deliver.engine) as conn:
        dead_letters.count_failed_retry(conn, letter.id, reason)
    return reason


def _catch_up(deliver: Deliver, source: str, subject: str) -> None:
    try:
        deliver.fetch(source, subject)
    except (LogUnavailable, SQLAlchemyError) as error:
        log.info("what follows a retried event is left to the reconciler: %s", type(error).__name__)


def _retry_parked(deliver: Deliver, letter: DeadLetter, stored: Item) -> str | None:
    """Apply the parked event and all behind it in one transaction, with the stream locked against live delivery."""
    stream = (stored.source, stored.subject)
    try:
        with transaction(deliver.engine) as conn:
            progress.lock(conn, stream)
            current = dead_letters.find(conn, letter.id)
            if current is None or current.resolved is not None:
                return None  # resolved by another retry while this one waited for the lock
            items, own = _from(deliver, conn, stored)
            progress.lift(conn, stream)
            said = _drain(deliver, conn, letter, deliver.open(items))
        return said if own or said else "forged: its source did not write it; what its source wrote was applied"
    except Exception as error:  # noqa: BLE001 - as above
        return _failed_retry(deliver, letter, outcome_of(error).why)


def _from(deliver: Deliver, conn: Connection, parked: Item) -> tuple[list[Item], bool]:
    """The events from a parked one on without a gap: what its source's log has, what is behind it stored as waiting;
    and whether the source wrote the parked one.

    A waiting event that the source did not write is set aside, and so is the parked one. If the source is away, what
    waits is enough as long as it has no gap; else raises LogUnavailable.
    """
    waiting = dead_letters.waiting_behind(conn, parked.source, parked.subject)
    try:
        entries = events_after(deliver.logs[parked.source], parked.source, parked.subject, parked.sequence - 1)
    except LogUnavailable:
        if not contiguous(parked.sequence, [item.sequence for item in waiting]):
            raise
        return [of_entry(item.entry) for item in (parked, *waiting)], True
    known = {(entry.sequence, entry.id) for entry in entries}
    own = (parked.sequence, parked.id) in known
    if not own:
        dead_letters.disown(
            conn, deliver.outbox, parked, conflicts.FORGED if entries else conflicts.UNKNOWN, deliver.now()
        )
    strange = [item.not_in_its_log() for item in waiting if (item.sequence, item.id) not in known]
    for item in strange:
        dead_letters.set_aside(conn, deliver.outbox, item, item.flaw or "", deliver.now())
    dead_letters.remove_waiting(conn, strange)
    items = [of_entry(entry) for entry in entries]
    dead_letters.add_waiting(conn, [item for item in items if item.sequence > parked.sequence])
    return items, own


def _drain(deliver: Deliver, conn: Connection, letter: DeadLetter, items: Sequence[Item]) -> str | None:
    """Apply one by one. The first behind the letter's that fails is parked in its place, the rest still waiting."""
    for item in items:
        try:
            with conn.begin_nested():
                deliver.take(conn, [item])
        except Exception as error:
            outcome = outcome_of(error)
            if isinstance(outcome, Retry) or item.sequence == letter.sequence:
                raise
            dead_letters.resolve(conn, letter.id, deliver.now())
            dead_letters.remove_waiting(conn, [item])
            progress.park(conn, item)
            dead_letters.park(conn, deliver.outbox, item, outcome.why, deliver.now())
            return f"mended, but number {item.sequence} behind it is parked: {outcome.why}"
        dead_letters.remove_waiting(conn, [item])
    dead_letters.resolve(conn, letter.id, deliver.now())
    return None
