"""Whoever the list beside the backups names is erased, also in a database restored from before their erasure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from jalons import clock
from jalons.backup.erased import ErasedList
from jalons.clock import new_id
from jalons.database import engine, transact, transaction
from jalons.messaging.outbox import Outbox
from jalons.process.parts import Part, repeated
from jalons.process.settings import Settings
from jalons.process.wiring import Ground, ground
from jalons.web.identity import Principal
from services.referrals.acts.lifecycle import HUB
from services.referrals.erasure.commands import erase_again
from services.referrals.persons.keys import PersonKeys
from services.referrals.tables import beneficiaries, person_keys
from services.referrals.work import Call, Hub, Work

EVERY_SECONDS = 30.0
_HUB = Principal(HUB, None, frozenset({"hub"}))


class Listed:
    """Keeps the list and the database in agreement: what either knows as erased, both do."""

    def __init__(
        self, base: Ground, keys: PersonKeys, erased: ErasedList, now: Callable[[], datetime] = clock.now
    ) -> None:
        self._ground = base
        self._keys = keys
        self._list = erased
        self._now = now

    @property
    def part(self) -> Part:
        """The agreement as a part of a process."""
        return Part("erased list", repeated(self._round))

    def agree(self) -> int:
        """Add to the list who was erased here, and erase whom it names; returns how many were erased."""
        with transaction(self._ground.engine) as conn:
            self._list.add(conn.scalars(select(person_keys.c.ref).where(person_keys.c.wrapped.is_(None))).all())
            again = conn.scalars(select(beneficiaries.c.ref).where(beneficiaries.c.ref.in_(self._list.refs()))).all()
        return sum(self._erased(ref) for ref in again)

    def _erased(self, ref: UUID) -> bool:
        def erase(conn: object) -> bool:
            work = Work(conn, Call(new_id(), _HUB, self._now()), Hub.of(self._ground, self._keys))  # type: ignore[arg-type]
            done = erase_again(work, ref)
            work.append()
            return done

        done = transact(self._ground.engine, erase)
        self._keys.cache.forget(str(ref))
        return done

    def _round(self) -> float:
        self.agree()
        return EVERY_SECONDS


def erase_listed(settings: Settings, erased: ErasedList) -> int:
    """Erase whom the list names, before a restored hub opens; returns how many were erased."""
    pool = engine(settings.direct_url, "referrals", pool=2)
    try:
        keys = PersonKeys(pool, settings.secret_key.get_secret_value())
        base = ground(settings, "referrals", pool, Outbox("referrals", keys.wanted))
        return Listed(base, keys, erased).agree()
    finally:
        pool.dispose()
