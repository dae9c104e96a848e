"""Where a source and its reader disagree on a number, the source's log decides: its event is applied, the other
named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import Connection

from jalons.database import transaction
from jalons.messaging import dead_letters, progress
from jalons.messaging.items import Entry, Item, Place, of_entry
from jalons.messaging.outcomes import Done, Park, Retry, outcome_of
from jalons.messaging.source_log import LogUnavailable
from jalons.process import metrics

if TYPE_CHECKING:
    from jalons.messaging.deliver import Deliver

FORGED = "forged: its source wrote another event under this number"
UNKNOWN = "forged, or its source was restored from before it: not in its source's log"
REPLACED = "was applied although its source did not write it; its source's own event was applied after it"
NOT_KNOWN = "was applied although its source's log does not have it: forged, or the source was restored from before it"


def settle(deliver: Deliver, conflicts: Sequence[Item]) -> Done | Retry:
    """Compare records whose number was applied under another id with their source's log, and act on what it says."""
    applied = 0
    for item in conflicts:
        metrics.SEQUENCE_CONFLICTS.labels(deliver.service).inc()
        try:
            entries = deliver.logs[item.source].after(item.subject, item.sequence - 1)
        except LogUnavailable as error:
            return Retry(1.0, str(error))
        real = next((entry for entry in entries if entry.sequence == item.sequence), None)
        if real is None or real.id != item.id:
            disown(deliver, item, UNKNOWN if real is None else FORGED)
        if real is not None:
            outcome = put_right(deliver, real, item)
            if isinstance(outcome, Retry):
                return outcome
            applied += outcome.applied
    return Done(applied)


def disown(deliver: Deliver, item: Item, reason: str) -> None:
    """Store a record that its source did not write. Nobody waits for it."""
    with transaction(deliver.engine) as conn:
        dead_letters.disown(conn, deliver.outbox, item, reason, deliver.now())
    deliver.report(item, "set_aside")


def put_right(deliver: Deliver, real: Entry, record: Item | None = None) -> Done | Retry:
    """Apply what the source wrote under a number that was applied under another id, and name the other. If it cannot be
    applied, it is set aside with the reason. record: where it came from, if it came."""
    item = of_entry(real)
    place = record.place if record is not None and record.id == real.id else Place()
    try:
        [item] = deliver.open([item])
        with transaction(deliver.engine) as conn:
            if not progress.replace_applied(conn, item):
                return Done()
            deliver.apply(conn, [item.readable()])
            name(deliver, conn, item, REPLACED)
    except Exception as error:  # noqa: BLE001 - every error has an outcome
        outcome = outcome_of(error)
        if isinstance(outcome, Park):
            return _kept(deliver, Item(place, real.value, *_numbers(real), type=item.type), outcome.why)
        return outcome
    deliver.report(item, "applied")
    return Done(1)


def _kept(deliver: Deliver, item: Item, why: str) -> Done:
    with transaction(deliver.engine) as conn:
        reason = f"its source's own, but another was applied under its number, and it cannot be applied over it: {why}"
        dead_letters.set_aside(conn, deliver.outbox, item, reason, deliver.now())
    return Done()


def name(deliver: Deliver, conn: Connection, entry: Entry | Item, reason: str) -> bool:
    """Name the event that was applied under this number without its source. Its value is not known any more."""
    metrics.FORGED.labels(deliver.service).inc()
    item = Item(Place(), None, *_numbers(entry))
    return dead_letters.disown(conn, deliver.outbox, item, reason, deliver.now())


def compare(deliver: Deliver, source: str, subject: str) -> int:
    """Compare all that was applied of a subject with its source's log, number by number. Names what the log does not
    have, and applies what it has instead. Returns how many differ. Raises LogUnavailable and database errors."""
    stream = (source, subject)
    with transaction(deliver.engine) as conn:
        row = progress.load(conn, {stream}).get(stream, progress.Progress())
    entries = {entry.sequence: entry for entry in deliver.logs[source].after(subject, 0)}
    wrong = [number for number in range(1, row.last + 1) if not _same(row, entries, number)]
    for number in wrong:
        if entry := entries.get(number):
            outcome = put_right(deliver, entry)
            if isinstance(outcome, Retry):
                raise LogUnavailable(outcome.why)
        else:
            with transaction(deliver.engine) as conn:
                name(deliver, conn, Entry(source, subject, number, _NO_ID, b""), NOT_KNOWN)
    return len(wrong)


def agrees(deliver: Deliver, item: Item) -> bool:
    """Whether what was applied under this number is what its source wrote. Raises LogUnavailable."""
    stream = (item.source, item.subject)
    with transaction(deliver.engine) as conn:
        row = progress.load(conn, {stream}).get(stream, progress.Progress())
    entries = deliver.logs[item.source].after(item.subject, item.sequence - 1)
    return row.last < item.sequence or _same(row, {entry.sequence: entry for entry in entries}, item.sequence)


def wrote(entries: Iterable[Entry], item: Item) -> bool:
    """Whether the item is among its source's entries."""
    return any((entry.sequence, entry.id) == (item.sequence, item.id) for entry in entries)


_NO_ID = Item(Place(), None).id


def _same(row: progress.Progress, entries: Mapping[int, Entry], number: int) -> bool:
    return number in entries and row.mark(number) == progress.mark_of(entries[number].id)


def _numbers(of: Entry | Item) -> tuple[str, str, int, UUID]:
    return of.source, of.subject, of.sequence, of.id
