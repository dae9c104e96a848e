"""Each person has a key, stored wrapped under the hub's secret; deleting the stored key is the erasure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from uuid import UUID

from sqlalchemy import Connection, Engine

from jalons.database import transaction
from jalons.privacy.keys import GONE, Key, Keys
from jalons.privacy.sealing import derive, new_key, seal, unseal
from services.referrals.persons import rows as persons


class PersonKeys:
    """Makes, reads and caches the persons' keys. secret: the hub's."""

    def __init__(self, engine: Engine, secret: str) -> None:
        self._engine = engine
        self._wrapping = derive(secret, "person keys")
        self.cache = Keys(self.resolve)

    def make(self, ref: UUID) -> str:
        """A new key for a person, wrapped."""
        return seal(self._wrapping, new_key(), str(ref))

    def wanted(self, conn: Connection, subjects: Collection[str]) -> Mapping[str, bytes]:
        """The keys that seal these subjects' events, read in the caller's transaction, which may have added them."""
        wrapped = persons.wrapped_keys(conn, [UUID(subject) for subject in subjects])
        return {str(ref): self._unwrapped(ref, key) for ref, key in wrapped.items() if key is not None}

    def resolve(self, subjects: Collection[str]) -> dict[str, Key]:
        """Keys by subject, destroyed ones as GONE. Subjects that never had a key are left out."""
        refs = [ref for subject in subjects if (ref := _uuid(subject)) is not None]
        with transaction(self._engine) as conn:
            wrapped = persons.wrapped_keys(conn, refs)
        return {str(ref): GONE if key is None else self._unwrapped(ref, key) for ref, key in wrapped.items()}

    def _unwrapped(self, ref: UUID, wrapped: str) -> bytes:
        return unseal(self._wrapping, wrapped, str(ref))


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
